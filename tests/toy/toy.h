/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* libtoyml: the smallest runtime that has everything, for tests and for docs/runtime-author.md. */
#ifndef TOY_H
#define TOY_H

struct toy_model;

/* Returns a model whose weights are the bytes of the file, or NULL. */
struct toy_model *toy_load(const char *path);

/* Runs rows × cols numbers through the model. Returns 0; -1: cols is not the model's, or NULL data; -2: a NaN. */
int toy_run(struct toy_model *model, int rows, int cols, const float *data, float *out);
void toy_free(struct toy_model *model); /* NULL is fine */
const char *toy_version(void);

#endif
