/* The header alone, without another before it, and twice; and in header_again.c once more, so that
 * it is in two parts of one program. */
#include "spsc_shm.h"
#include "spsc_shm.h"

uint32_t version_by_the_other_part(void);
size_t options_size_by_the_other_part(void);

int main(void)
{
    spsc_options options;
    if (spsc_options_init(&options, sizeof options) != SPSC_OK)
        return 1;
    if (options.struct_size != options_size_by_the_other_part())
        return 2;
    return version_by_the_other_part() == spsc_version() ? 0 : 3;
}
