/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Asks a running agent. */
#ifndef INFERMETER_CLIENT_H
#define INFERMETER_CLIENT_H

/*
 * GET http://address/path. Returns the body (NUL-terminated, the caller frees it); or NULL with errno: ECONNREFUSED when
 * no agent is there, EPROTO when what answers is no infermeter or does not answer 200. Waits at most two seconds.
 */
char *client__get(const char *address, const char *path);

#endif
