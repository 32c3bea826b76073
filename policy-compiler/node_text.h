/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_NODE_TEXT_H
#define TAMIS_NODE_TEXT_H

/* Nodes of a program as a person would write them: SECL, but for what SECL has no words for. */

#include "lib/buf.h"
#include "lib/program.h"

/* Appends the text of a node, with @negated of its opposite. Where the buffer is full the text ends; its error is kept. */
void node_text(const struct program *p, uint32_t node, bool negated, struct buf *out);
/* A string in quotes, an address or network without. */
void node_text_str(const struct program *p, uint32_t str, bool is_ip, struct buf *out);

#endif
