/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_NEWS_H
#define TAMIS_SPOOL_NEWS_H

/*
 * How the sinks learn that the log has a new checkpoint: a number that record counts up, in a page that they share, and that
 * they wait on (futex(2)). A watch on the log's directory would do it, too, but as long as there is one, each open and close
 * of any file on that filesystem costs about 50 ns more.
 */

#include <stdint.h>

struct news;

/* Shared with what is forked from here on, and zero; NULL: no memory. To be given back with news_unmap(), NULL does nothing. */
struct news *news_map(void);
void news_unmap(struct news *n);
/* From here on this process only reads and waits. */
void news_protect(struct news *n);

/* Wakes all who wait. NULL: nobody does. */
void news_tell(struct news *n);
uint32_t news_number(const struct news *n);
/* Until the number is another than @seen, for at most @ms milliseconds (0: not at all), or until a signal. */
void news_wait(const struct news *n, uint32_t seen, unsigned int ms);

#endif
