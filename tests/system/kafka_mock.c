/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_mock PORTS OUT: librdkafka's mock cluster of three brokers, and a consumer that writes each message's value to OUT, a
 * line each. The brokers' addresses go to PORTS. When OUT.errors appears, the next produce requests fail in ways that a producer
 * has to try again.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];
	const char *const set[][2] = { { "bootstrap.servers", brokers },
				       { "group.id", "test" },
				       { "auto.offset.reset", "earliest" },
				       { "topic.metadata.refresh.interval.ms", "500" },
				       { "reconnect.backoff.max.ms", "300" } };
	rd_kafka_t *rk;

	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		if ((i == 0 && !brokers) || (type == RD_KAFKA_PRODUCER && (i == 1 || i == 2)))
			continue;
		else
			rd_kafka_conf_set(conf, set[i][0], set[i][1], text, sizeof(text));
	rk = rd_kafka_new(type, conf, text, sizeof(text));
	if (!rk) {
		fprintf(stderr, "%s\n", text);
		exit(1);
	}
	return rk;
}

static void play_errors(rd_kafka_mock_cluster_t *cluster, const char *out)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s.errors", out);
	if (unlink(path) == 0)
		rd_kafka_mock_push_request_errors(cluster, 0 /* Produce */, 4, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
						  RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
						  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
						  RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
}

int main(int argc, char **argv)
{
	rd_kafka_t *owner = client(RD_KAFKA_PRODUCER, "127.0.0.1:1"), *consumer;
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 3);
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	FILE *ports, *out = fopen(argv[2], "a");

	rd_kafka_mock_topic_create(cluster, "tamis", 2, 3);
	ports = fopen(argv[1], "w");
	fprintf(ports, "%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fclose(ports);
	consumer = client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(cluster));
	rd_kafka_poll_set_consumer(consumer);
	for (int i = 0; i < 2; i++)
		rd_kafka_topic_partition_list_add(topics, "tamis", i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(consumer, topics);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, 100);

		if (m && !m->err) {
			fwrite(m->payload, 1, m->len, out);
			fputc('\n', out);
			fflush(out);
		}
		if (m)
			rd_kafka_message_destroy(m);
		play_errors(cluster, argv[2]);
	}
}
