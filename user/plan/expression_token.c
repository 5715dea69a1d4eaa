/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/expression_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node *parser__fail(struct parser *p, const char *at, const char *format, ...)
{
	va_list args;
	size_t length;

	if (p->failed)
		return NULL;
	p->failed = true;
	p->error->line = p->place.line;
	p->error->column = p->place.column + (p->place.inexact ? 0 : (uint32_t)(at - p->text));
	va_start(args, format);
	vsnprintf(p->error->text, sizeof(p->error->text), format, args);
	va_end(args);
	length = strlen(p->error->text);
	if (p->place.inexact && length < sizeof(p->error->text))
		snprintf(p->error->text + length, sizeof(p->error->text) - length, " (before \"%.20s\")", at);
	return NULL;
}

struct node *parser__node(struct parser *p, const char *at, enum node_kind kind, struct node *a, struct node *b)
{
	struct node *node = arena__alloc(p->arena, sizeof(*node));

	if (!node)
		return parser__fail(p, at, "no memory");
	node->kind = kind;
	node->width = EXPR_U64;
	node->a = a;
	node->b = b;
	node->line = p->place.line;
	node->column = p->place.column + (p->place.inexact ? 0 : (uint32_t)(at - p->text));
	return node;
}

void parser__skip(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
		p->at++;
}

bool parser__accept(struct parser *p, const char *token)
{
	parser__skip(p);
	if (strncmp(p->at, token, strlen(token)) != 0)
		return false;
	p->at += strlen(token);
	return true;
}

bool parser__expect(struct parser *p, const char *token, const char *what)
{
	if (p->failed)
		return false;
	if (parser__accept(p, token))
		return true;
	parser__fail(p, p->at, "expected '%s' %s", token, what);
	return false;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* What stands here, for messages: a word, or one character. */
const char *parser__seen(const struct parser *p, char *buffer, size_t size)
{
	size_t n = 0;

	if (!*p->at)
		return "the end";
	if (*p->at == '%')
		n = 1;
	while (is_word(p->at[n]))
		n++;
	if (n == 0)
		n = 1;
	snprintf(buffer, size, "'%.*s'", (int)(n > 40 ? 40 : n), p->at);
	return buffer;
}

/* A word of letters, digits and _ (dots and $ too in symbols). Returns false with the error set. */
bool parser__word(struct parser *p, char word[WORD_MAX], bool symbol, const char *what)
{
	size_t n = 0;
	char buffer[48];

	parser__skip(p);
	while (is_word(p->at[n]) || (symbol && (p->at[n] == '.' || p->at[n] == '$')))
		n++;
	if (n == 0 || n >= WORD_MAX) {
		parser__fail(p, p->at, n ? "%s is too long" : "expected %s, not %s", what,
			     parser__seen(p, buffer, sizeof(buffer)));
		return false;
	}
	memcpy(word, p->at, n);
	word[n] = '\0';
	p->at += n;
	return true;
}

struct node *parser__number(struct parser *p)
{
	const char *at = p->at;
	int base = at[0] == '0' && (at[1] == 'x' || at[1] == 'X') ? 16 : 10;
	const char *digits = base == 16 ? at + 2 : at;
	uint64_t value = 0;
	struct node *node;

	p->at = digits;
	while (base == 16 ? isxdigit((unsigned char)*p->at) : isdigit((unsigned char)*p->at)) {
		int digit = isdigit((unsigned char)*p->at) ? *p->at - '0' : (tolower((unsigned char)*p->at) - 'a') + 10;

		if (value > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base)
			return parser__fail(p, at, "this number does not fit in 64 bits");
		value = value * (uint64_t)base + (uint64_t)digit;
		p->at++;
	}
	if (p->at == digits || is_word(*p->at))
		return parser__fail(p, at, "expected a number, decimal or 0x…");
	node = parser__node(p, at, NODE_NUMBER, NULL, NULL);
	if (node)
		node->number = value;
	return node;
}

struct node *parser__register(struct parser *p)
{
	const char *at = p->at++, *near;
	char word[WORD_MAX], name[WORD_MAX + 1];
	struct node *node;

	if (!is_word(*p->at))
		return parser__fail(
			p, at,
			"expected a register behind %%; registers are %%di %%si %%dx %%cx %%r8 %%r9 %%ax %%sp …");
	if (!parser__word(p, word, false, "a register"))
		return NULL;
	snprintf(name, sizeof(name), "%%%s", word);
	for (unsigned int i = 0; i < EXPR_ARGS; i++) {
		if (strcmp(expression__registers[i], name) != 0)
			continue;
		node = parser__node(p, at, NODE_REGISTER, NULL, NULL);
		if (node)
			node->number = i;
		return node;
	}
	/* %rdi and %edi are what people know; the kernel's fetch arguments, and so we, say %di. */
	if ((word[0] == 'r' || word[0] == 'e') && strlen(word) == 3) {
		name[1] = word[1];
		name[2] = word[2];
		name[3] = '\0';
		for (unsigned int i = 0; i < EXPR_ARGS; i++)
			if (strcmp(expression__registers[i], name) == 0)
				return parser__fail(p, at, "unknown register '%%%s'; it is called '%s' here%s", word,
						    name, word[0] == 'e' ? ", with ':u32' or ':s32' behind it" : "");
		snprintf(name, sizeof(name), "%%%s", word);
	}
	near = expression__nearest(name, expression__registers);
	return parser__fail(
		p, at,
		"unknown register '%s'; %s%s%sregisters are %%di %%si %%dx %%cx %%r8 %%r9 %%ax %%bx %%bp %%sp "
		"%%r10 … %%r15",
		name, near ? "did you mean '" : "", near ? near : "", near ? "'? " : "");
}
