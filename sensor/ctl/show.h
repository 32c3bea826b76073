/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the subcommands share: the one option that most take, asking for JSON, and numbers for people.
 */
#ifndef TAMIS_CTL_SHOW_H
#define TAMIS_CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Takes --json alone. 0, or the exit status with the reason said. */
int show_args(int argc, char **argv, bool *ret_json);

/* The sensor's answer to a request without arguments; NULL with the reason said. *ret_text (may be NULL): as it came. */
json_t *show_ask(const char *state_dir, uint16_t type, char **ret_text);

/* An integer of a JSON object, 0 where it has none; canonical JSON writes large ones as strings. */
uint64_t show_u64(const json_t *o, const char *key);
/* A text, "" where there is none. */
const char *show_str(const json_t *o, const char *key);

#define SHOW_MAX 32
/* "12345" -> "12,345"; "1.2 MiB"; "3 min". @buf has SHOW_MAX bytes. */
const char *show_count(uint64_t n, char *buf);
const char *show_bytes(uint64_t n, char *buf);
const char *show_seconds(uint64_t s, char *buf);

#endif
