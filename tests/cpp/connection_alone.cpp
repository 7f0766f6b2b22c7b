#include "spsc_shm_connection.hpp"
#include "spsc_shm_connection.hpp"
