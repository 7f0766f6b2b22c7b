/* The second part of test_header. */
#include "spsc_shm.h"
#include "spsc_shm.h"

uint32_t version_by_the_other_part(void);
size_t options_size_by_the_other_part(void);

uint32_t version_by_the_other_part(void)
{
    return SPSC_VERSION_NUMBER;
}

size_t options_size_by_the_other_part(void)
{
    return sizeof(spsc_options);
}
