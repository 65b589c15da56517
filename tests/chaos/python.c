/* Stands for the Python of a round: becomes PYTHON with the clock of clock.c, the units' or everybody else's.
 *
 * It keeps argv[0], so that Python takes this file for its own and starts whatever it starts through it again. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **argv)
{
    char folder[PATH_MAX], library[PATH_MAX + 32], clock[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length < 0)
        return 126;
    folder[length] = 0;
    for (int up = 0; up < 2; up++)
        *strrchr(folder, '/') = 0;
    const char *whose = "rest";
    for (int i = 1; i < count; i++)
        if (!strcmp(argv[i], "orchestrator.sim"))
            whose = "units";
    snprintf(library, sizeof library, "%s/clock.so", folder);
    snprintf(clock, sizeof clock, "%s/clock.%s", folder, whose);
    setenv("LD_PRELOAD", library, 1);
    setenv("CHAOS_CLOCK", clock, 1);
    execv(PYTHON, argv);
    perror(PYTHON);
    return 126;
}
