/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same process goes on as the program file that is there by then: after an upgrade of the package. */
#ifndef RSIP_CLIENT_AGAIN_H
#define RSIP_CLIENT_AGAIN_H

#include <stdbool.h>
#include <stddef.h>

/* At the start of main(): what is run again is this, from this folder.  argv must stay. */
void rsip_again_note(int argc, char **argv);

/* Where it was started. */
const char *rsip_again_folder(void);

/* May it be run now, from there?  0 or a negative errno, with why. */
int rsip_again_check(char *why, size_t size);

/*
 * Does not return: the process goes on as that file, with its number, its standard streams and nothing else, as if it
 * had been killed and started; in_foreground: with --foreground, because nobody waits for it to go into the background.
 * A negative errno: the file cannot be run, and nothing has changed; the process is in /, as a daemon is.
 */
int rsip_again(bool in_foreground);

#endif
