/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A recursive descent over one line of text. Depth and size are bounded; the first error wins. */
#include "plan/expression_parser.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 40

static const char *const width_names[] = { "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", NULL };

/* name(ARGUMENT): what it makes, and what its argument is. */
enum argument {
	ARGUMENT_SYMBOL,
	ARGUMENT_VALUE,
	ARGUMENT_TWO_VALUES,
	ARGUMENT_STRING,
	ARGUMENT_LIKE,
	ARGUMENT_CONSTANT
};
static const struct function {
	const char *name;
	uint8_t kind, argument, constant;
} functions[] = {
	{ "vtable", NODE_CONSTANT, ARGUMENT_SYMBOL, CONSTANT_VTABLE },
	{ "accessor", NODE_CONSTANT, ARGUMENT_SYMBOL, CONSTANT_ACCESSOR },
	{ "symbol", NODE_CONSTANT, ARGUMENT_SYMBOL, CONSTANT_SYMBOL },
	{ "known", NODE_KNOWN, ARGUMENT_CONSTANT, 0 },
	{ "entry", NODE_ENTRY, ARGUMENT_VALUE, 0 },
	{ "length", NODE_LENGTH, ARGUMENT_STRING, 0 },
	{ "like", NODE_LIKE, ARGUMENT_LIKE, 0 },
	{ "cxx_string", NODE_CXX_STRING, ARGUMENT_VALUE, 0 },
	{ "cxx11_string", NODE_CXX11_STRING, ARGUMENT_VALUE, 0 },
	{ "cow_string", NODE_COW_STRING, ARGUMENT_VALUE, 0 },
	{ "c_string", NODE_C_STRING, ARGUMENT_VALUE, 0 },
	{ "bytes", NODE_BYTES, ARGUMENT_TWO_VALUES, 0 },
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static struct node *parse_or(struct parser *p);
static struct node *parse_unary(struct parser *p);

/* Finds or adds a constant. Returns its index, or -1 with the error set. */
static long add_constant(struct parser *p, const char *at, enum constant_kind kind, const char *name)
{
	struct constant_list *list = p->constants;

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].kind == kind && strcmp(list->items[i].name, name) == 0)
			return (long)i;
	if (list->n == CONSTANTS_MAX) {
		parser__fail(p, at, "more than %d constants in one adapter", CONSTANTS_MAX);
		return -1;
	}
	list->items[list->n].kind = kind;
	list->items[list->n].name = arena__copy(p->arena, name, strlen(name));
	if (!list->items[list->n].name) {
		parser__fail(p, at, "no memory");
		return -1;
	}
	return (long)list->n++;
}

static const char *parse_pattern(struct parser *p)
{
	const char *begin, *star, *copy;
	char quote;

	parser__skip(p);
	quote = *p->at;
	if (quote != '\'' && quote != '"') {
		parser__fail(p, p->at, "expected a pattern in quotes, like '*.bin'");
		return NULL;
	}
	begin = ++p->at;
	while (*p->at && *p->at != quote)
		p->at++;
	if (!*p->at) {
		parser__fail(p, begin - 1, "this quote is never closed");
		return NULL;
	}
	copy = arena__copy(p->arena, begin, (size_t)(p->at - begin));
	p->at++;
	if (!copy) {
		parser__fail(p, begin, "no memory");
		return NULL;
	}
	star = strchr(copy[0] == '*' ? copy + 1 : copy, '*');
	if ((star && star[1] != '\0') || (star && copy[0] == '*' && strlen(copy) != 3) || strlen(copy) > 64) {
		parser__fail(p, begin, "patterns are 'all of it', 'begin*', '*end' or '*c*' with one character");
		return NULL;
	}
	return copy;
}

static struct node *parse_call(struct parser *p, const char *at, const struct function *function)
{
	struct node *node = parser__node(p, at, function->kind, NULL, NULL);
	char word[WORD_MAX];
	long constant = -1;

	if (!node || !parser__expect(p, "(", "here"))
		return NULL;
	switch ((enum argument)function->argument) {
	case ARGUMENT_SYMBOL:
		if (!parser__word(p, word, true, "a symbol's name"))
			return NULL;
		constant = add_constant(p, at, function->constant, word);
		if (constant < 0)
			return NULL;
		node->number = (uint64_t)constant;
		break;
	case ARGUMENT_CONSTANT:
		node->a = parse_or(p);
		if (node->a && node->a->kind != NODE_CONSTANT)
			return parser__fail(p, at, "known(…) takes vtable(…), accessor(…) or symbol(…)");
		if (node->a)
			node->number = node->a->number;
		break;
	case ARGUMENT_VALUE:
	case ARGUMENT_TWO_VALUES:
		node->a = parse_or(p);
		if (function->argument == ARGUMENT_TWO_VALUES && parser__expect(p, ",", "and a length"))
			node->b = parse_or(p);
		break;
	case ARGUMENT_STRING:
	case ARGUMENT_LIKE:
		node->a = parse_or(p);
		if (node->a && !node__is_string(node->a))
			return parser__fail(p, at, "%s(…) takes a string: cxx_string(…), c_string(…) or bytes(…)",
					    function->name);
		if (function->argument == ARGUMENT_LIKE && parser__expect(p, ",", "and a pattern"))
			node->name = parse_pattern(p);
		break;
	}
	if (!parser__expect(p, ")", "here"))
		return NULL;
	if (node->kind == NODE_CXX_STRING) {
		constant = add_constant(p, at, CONSTANT_CXX11_STRINGS, "std::string");
		if (constant < 0)
			return NULL;
		node->number = (uint64_t)constant;
	}
	return p->failed ? NULL : node;
}

/* A name, or a function with its arguments. as_offset: in +name(ADDR) a name that is no function is the offset. */
static struct node *parse_name(struct parser *p, bool as_offset)
{
	const char *at = p->at;
	const char *words[N_FUNCTIONS + 1];
	const struct function *function = NULL;
	const char *near;
	struct node *node;
	char word[WORD_MAX];

	if (!parser__word(p, word, false, "a name"))
		return NULL;
	for (size_t i = 0; i < N_FUNCTIONS; i++) {
		words[i] = functions[i].name;
		if (strcmp(word, functions[i].name) == 0)
			function = &functions[i];
	}
	words[N_FUNCTIONS] = NULL;
	if (function)
		return parse_call(p, at, function);
	if (!as_offset && *p->at == '(') {
		near = expression__nearest(word, words);
		return parser__fail(p, at, "unknown function '%s'%s%s%s", word, near ? "; did you mean '" : "",
				    near ? near : "", near ? "'?" : "");
	}
	if (strcmp(word, "load_base") == 0)
		return parser__node(p, at, NODE_BASE, NULL, NULL);
	if (strcmp(word, "cxx11_strings") == 0) {
		long constant = add_constant(p, at, CONSTANT_CXX11_STRINGS, "std::string");

		node = constant < 0 ? NULL : parser__node(p, at, NODE_CONSTANT, NULL, NULL);
		if (node)
			node->number = (uint64_t)constant;
		return node;
	}
	node = parser__node(p, at, NODE_NAME, NULL, NULL);
	if (node)
		node->name = arena__copy(p->arena, word, strlen(word));
	if (node && !node->name)
		return parser__fail(p, at, "no memory");
	return node;
}

/* Behind a + or - where a value is expected: N(ADDR), name(ADDR), (OFFSET)(ADDR), or the sign of what follows. */
static struct node *parse_signed(struct parser *p)
{
	const char *at = p->at;
	bool negative = *p->at++ == '-';
	struct node *offset, *address, *node;

	parser__skip(p);
	if (isdigit((unsigned char)*p->at)) {
		offset = parser__number(p);
	} else if (*p->at == '(') {
		p->at++;
		offset = parse_or(p);
		parser__expect(p, ")", "to close '('");
	} else if (isalpha((unsigned char)*p->at) || *p->at == '_') {
		offset = parse_name(p, true);
	} else {
		offset = parse_unary(p);
		return negative && offset ? parser__node(p, at, NODE_NEGATE, offset, NULL) : offset;
	}
	if (p->failed || !offset)
		return NULL;
	if (negative)
		offset = parser__node(p, at, NODE_NEGATE, offset, NULL);
	if (!offset || *p->at != '(')
		return offset;
	p->at++;
	address = parse_or(p);
	if (!address || !parser__expect(p, ")", "to close the address"))
		return NULL;
	node = parser__node(p, at, NODE_LOAD, address, offset);
	return node;
}

static struct node *parse_width(struct parser *p, struct node *node)
{
	const char *at = p->at++, *near;
	char word[WORD_MAX];
	struct node *cast = node;
	int width = -1;

	if (!parser__word(p, word, false, "a width (u8 u16 u32 u64 s8 s16 s32 s64)"))
		return NULL;
	for (int i = 0; width_names[i]; i++)
		if (strcmp(word, width_names[i]) == 0)
			width = i;
	if (width < 0) {
		near = expression__nearest(word, width_names);
		return parser__fail(p, at,
				    "unknown width ':%s'; %s%s%swidths are :u8 :u16 :u32 :u64 :s8 :s16 :s32 :s64", word,
				    near ? "did you mean ':" : "", near ? near : "", near ? "'? " : "");
	}
	if (node__is_string(node))
		return parser__fail(p, at, "a string has no width");
	if (node->kind != NODE_LOAD)
		cast = parser__node(p, at, NODE_CAST, node, NULL);
	if (!cast)
		return NULL;
	cast->is_signed = width >= 4;
	cast->width =
		(uint8_t)(width == 7 ? EXPR_U64
				     : width); /* the order is enum expr_width's, and s64 a u64 that compares signed */
	return cast;
}

static struct node *parse_unary(struct parser *p)
{
	const char *at;
	struct node *node;
	char buffer[48];

	parser__skip(p);
	at = p->at;
	if (p->failed)
		return NULL;
	if (++p->depth > DEPTH_MAX)
		return parser__fail(p, at, "nested more than %d deep", DEPTH_MAX);
	if (*at == '!' || *at == '~') {
		p->at++;
		node = parse_unary(p);
		node = node ? parser__node(p, at, *at == '!' ? NODE_NOT : NODE_INVERT, node, NULL) : NULL;
		p->depth--;
		return node;
	}
	if (*at == '%') {
		node = parser__register(p);
	} else if (*at == '+' || *at == '-') {
		node = parse_signed(p);
	} else if (*at == '(') {
		p->at++;
		node = parse_or(p);
		parser__expect(p, ")", "to close '('");
	} else if (isdigit((unsigned char)*at)) {
		node = parser__number(p);
		if (node && *p->at == '(')
			return parser__fail(p, at, "a dereference begins with its sign: +%.*s(…)",
					    (int)(p->at - at > 20 ? 20 : p->at - at), at);
	} else if (isalpha((unsigned char)*at) || *at == '_') {
		node = parse_name(p, false);
	} else {
		return parser__fail(p, at, "expected a value (%%di, +8(%%sp), 12, a name), not %s",
				    parser__seen(p, buffer, sizeof(buffer)));
	}
	if (node && !p->failed && *p->at == ':')
		node = parse_width(p, node);
	p->depth--;
	return p->failed ? NULL : node;
}

/* Binary operators by how tightly they bind, loosest first. No token here begins a longer one of another level but by the checks below. */
static const struct level {
	struct {
		const char *token;
		uint8_t code;
	} operators[4];
} levels[] = {
	{ { { "|", EXPR_OR } } },
	{ { { "^", EXPR_XOR } } },
	{ { { "&", EXPR_AND } } },
	{ { { "<<", EXPR_SHL }, { ">>", EXPR_SHR } } },
	{ { { "+", EXPR_ADD }, { "-", EXPR_SUB } } },
	{ { { "*", EXPR_MUL }, { "/", EXPR_DIV }, { "%", EXPR_MOD } } },
};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static struct node *parse_level(struct parser *p, size_t level)
{
	struct node *left = level == N_LEVELS ? parse_unary(p) : parse_level(p, level + 1);

	while (left && level < N_LEVELS) {
		const char *at;
		struct node *right;
		size_t i = 0;

		parser__skip(p);
		at = p->at;
		for (; i < 4 && levels[level].operators[i].token; i++)
			if (strncmp(at, levels[level].operators[i].token, strlen(levels[level].operators[i].token)) ==
			    0)
				break;
		if (i == 4 || !levels[level].operators[i].token || (at[0] == '|' && at[1] == '|') ||
		    (at[0] == '&' && at[1] == '&'))
			break;
		p->at += strlen(levels[level].operators[i].token);
		right = parse_level(p, level + 1);
		left = right ? parser__node(p, at, NODE_BINARY, left, right) : NULL;
		if (!left)
			return NULL;
		left->op = levels[level].operators[i].code;
	}
	return left;
}

static int take_compare(struct parser *p)
{
	static const struct {
		const char *token;
		enum node_compare compare;
	} tokens[] = { { "==", COMPARE_EQ }, { "!=", COMPARE_NE }, { "<=", COMPARE_LE },
		       { ">=", COMPARE_GE }, { "<", COMPARE_LT },  { ">", COMPARE_GT } };

	parser__skip(p);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		if (parser__accept(p, tokens[i].token))
			return (int)tokens[i].compare;
	if (*p->at == '=')
		parser__fail(p, p->at, "expected '==' (a comparison), not '='");
	return -1;
}

static struct node *parse_compare(struct parser *p)
{
	struct node *left = parse_level(p, 0), *chain = NULL, **tail = NULL;
	int links = 0;

	while (left && !p->failed) {
		const char *at = (parser__skip(p), p->at);
		int compare = take_compare(p);
		struct node *link, *right;

		if (compare < 0)
			break;
		if (++links > 8)
			return parser__fail(p, at, "more than 8 comparisons in a chain");
		right = parse_level(p, 0);
		link = right ? parser__node(p, at, NODE_LINK, right, NULL) : NULL;
		if (!link)
			return NULL;
		link->op = (uint8_t)compare;
		if (!chain) {
			chain = parser__node(p, at, NODE_CHAIN, left, NULL);
			if (!chain)
				return NULL;
			tail = &chain->b;
		}
		*tail = link;
		tail = &link->b;
	}
	if (p->failed)
		return NULL;
	return chain ? chain : left;
}

static struct node *parse_and(struct parser *p)
{
	struct node *left = parse_compare(p);

	while (left && !p->failed && parser__accept(p, "&&")) {
		const char *at = p->at - 2;
		struct node *right = parse_compare(p);

		left = right ? parser__node(p, at, NODE_AND, left, right) : NULL;
	}
	return p->failed ? NULL : left;
}

static struct node *parse_or(struct parser *p)
{
	struct node *left;

	if (++p->depth > DEPTH_MAX)
		return parser__fail(p, p->at, "nested more than %d deep", DEPTH_MAX);
	left = parse_and(p);
	while (left && !p->failed && parser__accept(p, "||")) {
		const char *at = p->at - 2;
		struct node *right = parse_and(p);

		left = right ? parser__node(p, at, NODE_OR, left, right) : NULL;
	}
	p->depth--;
	return p->failed ? NULL : left;
}

struct node *expression__parse(struct arena *arena, const char *text, struct expression_place place,
			       struct constant_list *constants, struct expression_error *error)
{
	struct parser p = {
		.arena = arena, .text = text, .at = text, .place = place, .constants = constants, .error = error
	};
	const struct node *misplaced;
	struct node *node;
	char buffer[48];

	if (strlen(text) > EXPRESSION_TEXT_MAX)
		return parser__fail(&p, text, "an expression of more than %d characters", EXPRESSION_TEXT_MAX);
	parser__skip(&p);
	if (!*p.at)
		return parser__fail(&p, p.at, "expected an expression, not an empty text");
	node = parse_or(&p);
	if (!node || p.failed)
		return NULL;
	parser__skip(&p);
	if (*p.at)
		return parser__fail(&p, p.at, "expected an operator or the end, not %s",
				    parser__seen(&p, buffer, sizeof(buffer)));
	misplaced = expression__misplaced_string(node, true);
	if (!misplaced)
		return node;
	error->line = misplaced->line;
	error->column = misplaced->column;
	snprintf(error->text, sizeof(error->text),
		 "a string where a number is expected; length(…) and like(…, '…') make numbers of strings");
	return NULL;
}
