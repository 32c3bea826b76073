/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_NOTIFY_H
#define TAMIS_PRIV_NOTIFY_H

/*
 * systemd's sd_notify(3) by hand: one datagram such as "READY=1" to $NOTIFY_SOCKET. The socket is connected early, so that
 * it also works after privileges are dropped. Without $NOTIFY_SOCKET nothing happens; errors are nobody's business.
 */
void notify_open(void);
void notify_send(const char *text);

#endif
