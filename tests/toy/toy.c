/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "toy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLS 4

struct toy_model {
	const char *kind; /* at offset 0 */
	char *path;	  /* at offset 8 */
	int cols;
	float weights[COLS];
};

struct toy_model *toy_load(const char *path)
{
	FILE *file = fopen(path, "r");
	struct toy_model *model;
	int byte;

	if (!file)
		return NULL;
	model = calloc(1, sizeof(*model));
	if (model)
		model->path = strdup(path);
	if (!model || !model->path) {
		free(model);
		fclose(file);
		return NULL;
	}
	model->kind = "linear";
	model->cols = COLS;
	for (int i = 0; i < COLS && (byte = fgetc(file)) != EOF; i++)
		model->weights[i] = (float)byte / 256;
	fclose(file);
	return model;
}

int toy_run(struct toy_model *model, int rows, int cols, const float *data, float *out)
{
	if (cols != model->cols || !data || !out)
		return -1;
	for (int i = 0; i < rows; i++) {
		float sum = 0;

		for (int j = 0; j < cols; j++) {
			if (isnan(data[i * cols + j]))
				return -2;
			sum += data[i * cols + j] * model->weights[j];
		}
		out[i] = sum;
	}
	return 0;
}

void toy_free(struct toy_model *model)
{
	if (!model)
		return;
	free(model->path);
	free(model);
}

const char *toy_version(void)
{
	return "1.2.0";
}
