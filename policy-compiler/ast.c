/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/ast.h"

const char *ast_op_name(uint8_t op)
{
	static const char *const names[] = {
		[AST_OP_NONE] = "",	    [AST_OP_AND] = "&&",      [AST_OP_OR] = "||",     [AST_OP_EQ] = "==",
		[AST_OP_NE] = "!=",	    [AST_OP_LT] = "<",	      [AST_OP_LE] = "<=",     [AST_OP_GT] = ">",
		[AST_OP_GE] = ">=",	    [AST_OP_MATCH] = "=~",    [AST_OP_NMATCH] = "!~", [AST_OP_IN] = "in",
		[AST_OP_NOT_IN] = "not in", [AST_OP_ALLIN] = "allin", [AST_OP_ADD] = "+",     [AST_OP_SUB] = "-",
		[AST_OP_BAND] = "&",	    [AST_OP_BOR] = "|",	      [AST_OP_BXOR] = "^",    [AST_OP_NOT] = "!",
		[AST_OP_NEG] = "-",	    [AST_OP_BNOT] = "^",      [AST_OP_CIDR] = "/",
	};

	return op < sizeof(names) / sizeof(names[0]) ? names[op] : "";
}
