/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The parser's state and its smallest steps (expression_token.c), for expression.c. */
#ifndef INFERMETER_EXPRESSION_PARSER_H
#define INFERMETER_EXPRESSION_PARSER_H

#include "plan/expression.h"

#define WORD_MAX 200 /* mangled names are long */

struct parser {
	struct arena *arena;
	const char *text, *at;
	struct expression_place place;
	struct constant_list *constants;
	struct expression_error *error;
	int depth;
	bool failed;
};

/* The first error wins. at: where in the text. Returns NULL. */
struct node *parser__fail(struct parser *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
struct node *parser__node(struct parser *p, const char *at, enum node_kind kind, struct node *a, struct node *b);

void parser__skip(struct parser *p); /* spaces */
bool parser__accept(struct parser *p, const char *token);
bool parser__expect(struct parser *p, const char *token, const char *what);

/* What stands here, for messages: a word, or one character. */
const char *parser__seen(const struct parser *p, char *buffer, size_t size);

/* A word of letters, digits and _ (dots and $ too in symbols). Returns false with the error set. */
bool parser__word(struct parser *p, char word[WORD_MAX], bool symbol, const char *what);
struct node *parser__number(struct parser *p);
struct node *parser__register(struct parser *p);

#endif
