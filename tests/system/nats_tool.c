/* SPDX-License-Identifier: Apache-2.0 */
/* nats_tool URL create: the stream TAMIS of the subject tamis.alerts; nats_tool URL dump: its messages, a line each */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int create(jsCtx *js)
{
	const char *subjects[] = { "tamis.alerts" };
	jsStreamConfig c;

	jsStreamConfig_Init(&c);
	c.Name = "TAMIS";
	c.Subjects = subjects;
	c.SubjectsLen = 1;
	return js_AddStream(NULL, js, &c, NULL, NULL) == NATS_OK ? 0 : 1;
}

static int dump(jsCtx *js)
{
	natsSubscription *sub = NULL;
	natsMsg *m = NULL;
	jsSubOptions o;

	jsSubOptions_Init(&o);
	o.Ordered = true;
	if (js_SubscribeSync(&sub, js, "tamis.alerts", NULL, &o, NULL) != NATS_OK)
		return 1;
	while (natsSubscription_NextMsg(&m, sub, 500) == NATS_OK) {
		fwrite(natsMsg_GetData(m), 1, (size_t)natsMsg_GetDataLength(m), stdout);
		putchar('\n');
		natsMsg_Destroy(m);
	}
	natsSubscription_Destroy(sub);
	return 0;
}

/* NATS_TLS: a directory with ca.pem, client.pem and client.key */
static natsStatus options(natsOptions **ret, const char *url)
{
	const char *dir = getenv("NATS_TLS");
	char ca[400], cert[400], key[400];
	natsStatus st = natsOptions_Create(ret);

	if (st == NATS_OK)
		st = natsOptions_SetURL(*ret, url);
	if (st != NATS_OK || !dir)
		return st;
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	snprintf(cert, sizeof(cert), "%s/client.pem", dir);
	snprintf(key, sizeof(key), "%s/client.key", dir);
	natsOptions_SetSecure(*ret, true);
	natsOptions_LoadCATrustedCertificates(*ret, ca);
	return natsOptions_LoadCertificatesChain(*ret, cert, key);
}

int main(int argc, char **argv)
{
	natsConnection *c = NULL;
	natsOptions *o = NULL;
	jsCtx *js = NULL;

	if (argc != 3 || options(&o, argv[1]) != NATS_OK || natsConnection_Connect(&c, o) != NATS_OK ||
	    natsConnection_JetStream(&js, c, NULL) != NATS_OK) {
		fprintf(stderr, "cannot connect\n");
		return 1;
	}
	return strcmp(argv[2], "create") == 0 ? create(js) : dump(js);
}
