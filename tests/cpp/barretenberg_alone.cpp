#include "spsc_shm_barretenberg.hpp"
#include "spsc_shm_barretenberg.hpp"
