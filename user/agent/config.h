/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The configuration file (--config), YAML:
 *
 *	aliases:			# names of models, as globs over the model's file name or the runtime's name
 *	  "ch_PP-OCRv4_det*": ocr-detector	# the first that matches wins
 */
#ifndef INFERMETER_CONFIG_H
#define INFERMETER_CONFIG_H

#include <stddef.h>

struct config;

/* Reads the file (NULL: an empty configuration). Returns NULL and a sentence with file and line in why. The caller frees it. */
struct config *config__read(const char *path, char *why, size_t size);
void config__free(struct config *config); /* NULL is fine */

/* The alias of a model, by its path or name; NULL: none. Owned by the configuration. */
const char *config__alias(const struct config *config, const char *name);

#endif
