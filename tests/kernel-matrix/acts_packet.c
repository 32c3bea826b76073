/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns and imds: real packets, in a network of the actor's own that has but its loopback device. The actor is client and
 * server in turn.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scenario.h"

#define PORT_DNS  53
#define PORT_HTTP 80
#define OP_SEND	  26 /* newer than some headers */

/* fd00:ec2::254 */
static const uint8_t imds6[16] = { 0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 };

/* ---- the network --------------------------------------------------------------------------------------------------- */

static int own_network(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	return res(ioctl(fd, SIOCSIFFLAGS, &r));
}

/* The metadata service's addresses are ours. */
static int own_imds(void)
{
	struct ifreq r = { .ifr_name = "lo:1" };
	struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;
	struct in6_ifreq r6 = { .ifr6_prefixlen = 128, .ifr6_ifindex = 1 };
	int fd = own_network();

	if (fd < 0)
		return fd;
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(0xa9fea9fe);
	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFADDR, &r) < 0)
		return -errno;
	memcpy(&r6.ifr6_addr, imds6, 16);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	return fd < 0 ? 0 : res(ioctl(fd, SIOCSIFADDR, &r6));
}

/* A bound socket of a server, which listens if it can; or a negative errno. */
static int server(const union address *a, socklen_t n, int type)
{
	int fd = socket(a->any.sa_family, type, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? -ENOSYS : -errno;
	/* an address of IPv6 is tentative for a moment, on the loopback device, too */
	for (int i = 0; bind(fd, &a->any, n) < 0; i++) {
		if (errno != EADDRNOTAVAIL || i == 100)
			return -errno;
		usleep(20000);
	}
	if (type == SOCK_STREAM && listen(fd, 1) < 0)
		return -errno;
	return fd;
}

static int client(const union address *a, socklen_t n, int type)
{
	int fd = socket(a->any.sa_family, type, 0);

	return fd < 0 || connect(fd, &a->any, n) < 0 ? -errno : fd;
}

/* ---- dns ----------------------------------------------------------------------------------------------------------- */

/* TXT of "Q.example", id 0x1234; before it its length, for TCP. */
static const char question[] = "\0\x1b"
			       "\x12\x34\x01\0\0\1\0\0\0\0\0\0"
			       "\1Q\7example\0\0\x10\0\1";
#define QUESTION     (question + 2)
#define QUESTION_LEN 27

struct names {
	union address a;
	socklen_t n;
	int server, client;
};

static int names_open(struct names *x, int family, int type)
{
	int r = own_network();

	if (r < 0)
		return r;
	x->n = loopback(&x->a, family, PORT_DNS);
	x->server = server(&x->a, x->n, type);
	if (x->server < 0)
		return x->server;
	x->client = client(&x->a, x->n, type);
	return x->client < 0 ? x->client : 0;
}

static int sent(ssize_t n, ssize_t want)
{
	return n == want ? 0 : n < 0 ? -errno : -EPROTO;
}

static int ask(int family)
{
	struct names x;
	int r = names_open(&x, family, SOCK_DGRAM);

	return r < 0 ? r : sent(send(x.client, QUESTION, QUESTION_LEN, 0), QUESTION_LEN);
}

static int act_dns(const struct spot *s)
{
	(void)s;
	return ask(AF_INET);
}
static int act_dns_v6(const struct spot *s)
{
	(void)s;
	return ask(AF_INET6);
}

static int act_dns_sendto(const struct spot *s)
{
	struct names x;
	int r = names_open(&x, AF_INET, SOCK_DGRAM);

	(void)s;
	return r < 0 ? r
		     : sent(sendto(socket(AF_INET, SOCK_DGRAM, 0), QUESTION, QUESTION_LEN, 0, &x.a.any, x.n),
			    QUESTION_LEN);
}

static int act_dns_uring(const struct spot *s)
{
	struct names x;
	int r = names_open(&x, AF_INET, SOCK_DGRAM);

	(void)s;
	return r < 0 ? r : uring(OP_SEND, x.client, QUESTION, 0, QUESTION_LEN, 0);
}

/* A head of one's own, which no hook at connect or sendmsg is asked about. */
static int act_dns_raw(const struct spot *s)
{
	char packet[8 + QUESTION_LEN] = { 0xd4, 0x31, 0, PORT_DNS, 0, sizeof(packet) };
	struct names x;
	int r = names_open(&x, AF_INET, SOCK_DGRAM);

	(void)s;
	if (r < 0)
		return r;
	x.a.v4.sin_port = 0;
	memcpy(packet + 8, QUESTION, QUESTION_LEN);
	return sent(sendto(socket(AF_INET, SOCK_RAW, IPPROTO_UDP), packet, sizeof(packet), 0, &x.a.any, x.n),
		    sizeof(packet));
}

static int act_dns_answer(const struct spot *s)
{
	char b[512];
	struct names x;
	int r = names_open(&x, AF_INET, SOCK_DGRAM);
	union address peer;
	socklen_t n = sizeof(peer);

	(void)s;
	if (r < 0 || send(x.client, QUESTION, QUESTION_LEN, 0) != QUESTION_LEN ||
	    recvfrom(x.server, b, sizeof(b), 0, &peer.any, &n) != QUESTION_LEN)
		return r < 0 ? r : -errno;
	b[2] = (char)0x81;
	b[3] = (char)0x83; /* no such name */
	if (sendto(x.server, b, QUESTION_LEN, 0, &peer.any, n) != QUESTION_LEN)
		return -errno;
	return sent(recv(x.client, b, sizeof(b), 0), QUESTION_LEN);
}

static int act_dns_tcp(const struct spot *s)
{
	struct names x;
	int r = names_open(&x, AF_INET, SOCK_STREAM);

	(void)s;
	return r < 0 ? r : sent(send(x.client, question, QUESTION_LEN + 2, 0), QUESTION_LEN + 2);
}

static int act_dns_split(const struct spot *s)
{
	struct names x;
	int r = names_open(&x, AF_INET, SOCK_STREAM), one = 1;

	(void)s;
	if (r < 0 || setsockopt(x.client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    send(x.client, question, 2, 0) != 2)
		return r < 0 ? r : -errno;
	return sent(send(x.client, QUESTION, QUESTION_LEN, 0), QUESTION_LEN);
}

/* ---- imds ---------------------------------------------------------------------------------------------------------- */

#define REQUEST                                                                                                        \
	"GET /latest/meta-data/iam/security-credentials/web HTTP/1.1\r\n"                                              \
	"Host: 169.254.169.254\r\nUser-Agent: curl/8\r\n\r\n"
#define TOKEN                                                                                                          \
	"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n"                                                  \
	"X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
#define ANSWER                                                                                                         \
	"HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Type: text/plain\r\n\r\n"                                         \
	"{\n  \"Code\" : \"Success\",\n  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"ASIAEXAMPLE\"\n}"

static int metadata(int family, const char *request, const char *answer)
{
	union address a = { .any = { .sa_family = (sa_family_t)family } };
	socklen_t n = family == AF_INET ? sizeof(a.v4) : sizeof(a.v6);
	int r = own_imds(), listener, fd, peer;
	char b[1024];

	if (r < 0)
		return r;
	if (family == AF_INET) {
		a.v4.sin_addr.s_addr = htonl(0xa9fea9fe);
		a.v4.sin_port = htons(PORT_HTTP);
	} else {
		memcpy(&a.v6.sin6_addr, imds6, 16);
		a.v6.sin6_port = htons(PORT_HTTP);
	}
	listener = server(&a, n, SOCK_STREAM);
	if (listener < 0)
		return listener;
	fd = client(&a, n, SOCK_STREAM);
	if (fd < 0 || send(fd, request, strlen(request), 0) < 0)
		return -errno;
	peer = accept(listener, NULL, NULL);
	if (recv(peer, b, sizeof(b), 0) < 0 || send(peer, answer, strlen(answer), 0) < 0 ||
	    recv(fd, b, sizeof(b), 0) < 0)
		return -errno;
	return 0;
}

static int act_imds(const struct spot *s)
{
	(void)s;
	return metadata(AF_INET, REQUEST, ANSWER);
}
static int act_imds_v2(const struct spot *s)
{
	(void)s;
	return metadata(AF_INET, TOKEN, ANSWER);
}
static int act_imds_v6(const struct spot *s)
{
	(void)s;
	return metadata(AF_INET6, REQUEST, ANSWER);
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

#define NAME "dns.question.name=Q.example", "dns.question.type=16", "dns.id=4660", "dns.question.length=27"
#define TO(ip, port, l4)                                                                                               \
	"network.destination.ip=" ip, "network.destination.port=" port, "network.l4_protocol=" l4,                     \
		"network.network_direction=1"
#define URL "imds.url=/latest/meta-data/iam/security-credentials/web", "imds.cloud_provider=aws"

const struct row rows_packet[] = {
	{ "dns", NULL, act_dns, .expect = { NAME, TO("127.0.0.1", "53", "17") } },
	{ "dns.v6", NULL, act_dns_v6, .expect = { NAME, TO("::1", "53", "17") } },
	{ "dns.sendto", NULL, act_dns_sendto, .expect = { NAME, TO("127.0.0.1", "53", "17") } },
	{ "dns.raw", NULL, act_dns_raw, .expect = { NAME, TO("127.0.0.1", "53", "17") } },
	{ "dns.tcp", NULL, act_dns_tcp, .expect = { NAME, TO("127.0.0.1", "53", "6") } },
	{ "dns.split", NULL, act_dns_split, .expect = { NAME, TO("127.0.0.1", "53", "6") } },
	{ "dns.io_uring", NULL, act_dns_uring, .expect = { NAME, TO("127.0.0.1", "53", "17") } },
	{ "dns.answer", NULL, act_dns_answer,
	  .expect = { NAME, "dns.response.code=3", "network.source.port=53", "network.network_direction=2",
		      "network.device.ifname=lo" } },

	{ "imds", NULL, act_imds,
	  .expect = { URL, "imds.type=request", "imds.host=169.254.169.254", "imds.user_agent=curl/8",
		      "imds.aws.is_imds_v2=false", "network.destination.ip=169.254.169.254",
		      "network.network_direction=1" } },
	{ "imds.v2", NULL, act_imds_v2,
	  .expect = { "imds.url=/latest/api/token", "imds.type=request", "imds.aws.is_imds_v2=true" } },
	{ "imds.v6", NULL, act_imds_v6, .expect = { URL, TO("fd00:ec2::254", "80", "6") } },
	{ "imds.answer", NULL, act_imds,
	  .expect = { "imds.type=response", "imds.server=EC2ws", "imds.cloud_provider=aws",
		      "imds.aws.security_credentials.type=AWS-HMAC", "network.source.ip=169.254.169.254",
		      "network.network_direction=2" } },
	{ 0 },
};
