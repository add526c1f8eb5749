// SPDX-License-Identifier: GPL-3.0-or-later
// A Traefik that tells its version, and then ends (or hangs) instead of serving.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
    if (count > 1 && !strcmp(words[1], "version")) {
        puts("Version:      " VERSION "\nCodename:     fake");
        return 0;
    }
#ifdef HANGS
    for (;;)
        pause();
#endif
    fputs("2026-01-01T00:00:00Z ERR Command error error=\"command traefik error: the fake cannot \\\"serve\\\" anything\"\n", stderr);
    return 1;
}
