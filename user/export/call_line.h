/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* One call → one line of trace. */
#ifndef INFERMETER_CALL_LINE_H
#define INFERMETER_CALL_LINE_H

#include "export/text.h"
#include "model/snapshot.h"

/* "12:03:04.123456  4242/4243 python  onnxruntime  bert.onnx  1.234 ms  batch 8  ok", in local time; with newline. */
void call_line__text(const struct model_call *call, struct text *text);

/* The heading above such lines; with newline. */
void call_line__heading(struct text *text);

/* {"time":1700000000.123456,"model":"bert.onnx", …} on one line; with newline. */
void call_line__json(const struct model_call *call, struct text *text);

#endif
