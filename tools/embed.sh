#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# Prints C for the files given: { "name.yaml", "text" } rows of a table.
set -eu
echo '/* Made by tools/embed.sh. */'
echo 'static const struct { const char *name, *text; } embedded_adapters[] = {'
for file in "$@"; do
	printf '\t{ "%s",\n' "$(basename "$file")"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^.*$/\t  "&\\n"/' "$file"
	printf '\t},\n'
done
printf '\t{ 0, 0 },\n};\n'
