/* A plug-in with a copy of the library of its own. */
#include "check.h"

#ifdef __cplusplus
extern "C" {
#endif
spsc_ring *plugin_make(void);
void plugin_close(spsc_ring *ring);
#ifdef __cplusplus
}
#endif

spsc_ring *plugin_make(void)
{
    spsc_ring *ring = NULL;
    OK(spsc_create_anonymous(1, &ring));
    send_bytes(ring, 3);
    return ring;
}

void plugin_close(spsc_ring *ring)
{
    spsc_close(ring);
}
