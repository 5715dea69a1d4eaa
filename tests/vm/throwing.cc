/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A library of libtoyml's functions in C++: a call with a wrong number of columns leaves by exception. */
#include <stdexcept>
#include <string>
#include <vector>

struct toy_model {
	const char *kind; /* at offset 0 */
	const char *path; /* at offset 8 */
	std::string name;
};

extern "C" {

__attribute__((noinline)) toy_model *toy_load(const char *path)
{
	toy_model *model = new toy_model { "throwing", nullptr, path };

	model->path = model->name.c_str();
	return model;
}

__attribute__((noinline)) int toy_run(toy_model *model, int rows, int cols, const float *data, float *out)
{
	std::vector<float> sums(rows);

	if (cols != 4)
		throw std::invalid_argument(model->path);
	for (int i = 0; i < rows; i++) {
		for (int j = 0; j < cols; j++)
			sums[i] += data[i * cols + j];
		out[i] = sums[i];
	}
	return 0;
}

int toy_try(toy_model *model, int rows, int cols, const float *data, float *out)
{
	try {
		return toy_run(model, rows, cols, data, out);
	} catch (const std::exception &) {
		return 1;
	}
}

void toy_free(toy_model *model)
{
	delete model;
}

const char *toy_version(void)
{
	return "2.0.0";
}
}
