#include "spsc_shm.hpp"
#include "spsc_shm.hpp"
