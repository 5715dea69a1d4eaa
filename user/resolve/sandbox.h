/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What a process gives up before it looks at strangers' files. */
#ifndef INFERMETER_SANDBOX_H
#define INFERMETER_SANDBOX_H

/*
 * Keeps the one descriptor fd (and the standard ones, as /dev/null), drops capabilities, bounds memory and CPU time, and leaves
 * only the system calls that reading a file takes. For good. Returns 0 or -errno: then do not go on.
 */
int sandbox__enter(int fd);

#endif
