/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_CURL_RECORDER_H
#define TAMIS_TESTS_CURL_RECORDER_H

/*
 * sinks/http.c with a recorder in place of libcurl: what is posted is kept, what is answered is recorder.answer, in pieces. For a
 * test or a fuzz target, which includes it first and <curl/curl.h> before it.
 */

#undef curl_easy_setopt
#undef curl_easy_getinfo
#define curl_easy_setopt(curl, option, value) recorder_set(option, (const void *)(uintptr_t)(value))
#define curl_easy_getinfo(curl, what, ret)    (*(ret) = recorder.status)
#define curl_easy_perform(curl)		      recorder_post()
#define curl_easy_init()		      ((CURL *)&recorder)
#define curl_easy_cleanup(curl)		      ((void)(curl))
#define curl_easy_strerror(c)		      "error"
#define curl_global_init(flags)		      ((void)0)
#define curl_slist_append(list, text)	      recorder_header(text)
#define curl_slist_free_all(list)	      ((void)(list))

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct recorder {
	const char *body, *answer;
	size_t answer_len, n;
	void *sink;
	long status;
	char sent[16][16384];
} recorder;

static void recorder_set(CURLoption option, const void *value)
{
	if (option == CURLOPT_POSTFIELDS)
		recorder.body = value;
	if (option == CURLOPT_WRITEDATA)
		recorder.sink = (void *)(uintptr_t)value;
}

static struct curl_slist *recorder_header(const char *text)
{
	static struct curl_slist one;

	(void)text;
	return &one;
}

static CURLcode recorder_post(void);

#include "sinks/http.c" /* NOLINT(bugprone-suspicious-include): it is the one that is tested */

static CURLcode recorder_post(void)
{
	if (recorder.n < 16)
		snprintf(recorder.sent[recorder.n], sizeof(recorder.sent[0]), "%s", recorder.body);
	recorder.n++;
	for (size_t at = 0; recorder.answer && at < recorder.answer_len;) {
		size_t n = recorder.answer_len - at < 1000 ? recorder.answer_len - at : 1000;

		if (take_answer((char *)(uintptr_t)recorder.answer + at, 1, n, recorder.sink) != n)
			return CURLE_WRITE_ERROR;
		at += n;
	}
	return CURLE_OK;
}

#endif
