/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A hook's expressions → the operations of expr.h, for one file whose constants are known. */
#ifndef INFERMETER_COMPILE_H
#define INFERMETER_COMPILE_H

#include "plan/adapter_data.h"

struct compile_report {
	bool refused; /* a value that the hook cannot do without cannot be had in this file: why */
	char why[200];
	char unknown[256];	    /* other values that cannot be had, and why; "" none */
	uint32_t needs, exit_needs; /* as in struct function_query */
	uint32_t line, column;	    /* of the error when -EINVAL is returned */
	char error[256];
};

/*
 * Fills hook's programs, operations and HOOK_NAME_AT_EXIT. constants: the answer's, in the adapter's order; NULL: a trial, as
 * if each were known, which finds the adapter's mistakes. Returns 0, or -EINVAL: a mistake in the adapter (report.error at
 * line and column).
 */
int compile__hook(const struct adapter *adapter, const struct adapter_hook *from,
		  const struct answer_constant *constants, struct hook *hook, struct compile_report *report);

#endif
