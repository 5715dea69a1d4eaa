/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Numbers that expressions need from the file itself, so that nobody has to write offsets down. */
#ifndef INFERMETER_ACCESSOR_H
#define INFERMETER_ACCESSOR_H

#include "resolve/locate.h"

/* Fills constant. */
void accessor__find(struct module *module, const struct constant_query *query, struct answer_constant *constant);

#endif
