#include "spsc_shm.hpp"
