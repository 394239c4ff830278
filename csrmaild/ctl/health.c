#include "csrmaild/ctl/health.h"

#include "csrmaild/ctl/ctl.h"

#include "common/bytes.h"

#include <curl/curl.h>

#include <stdio.h>
#include <string.h>

#define MAX_ANSWER_OCTETS	(1u << 20)
#define TIMEOUT_S		5L

static size_t
take_answer(char *octets, size_t size, size_t n, void *answer)
{
	return buf_append(answer, octets, size * n) == 0 ? size * n : 0;
}

/* NULL, or what ocspd said, when that is what it should be. */
static json_t *
fetch(const char *address, char *why, size_t size)
{
	OWNED_BUF(url, 256);
	OWNED_BUF(answer, MAX_ANSWER_OCTETS);
	CURL *curl = curl_easy_init();
	CURLcode r = CURLE_OUT_OF_MEMORY;
	json_t *value;

	buf_printf(&url, "http://%s/health", address);
	if (curl != NULL && !url.failed) {
		curl_easy_setopt(curl, CURLOPT_URL, buf_str(&url));
		/* The environment's proxies have no say here. */
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
		r = curl_easy_perform(curl);
	}
	curl_easy_cleanup(curl);
	if (r != CURLE_OK) {
		snprintf(why, size, "ocspd does not answer at %s (%s); is it "
		    "running?", address, curl_easy_strerror(r));
		return NULL;
	}
	value = json_loadb((const char *)answer.data, answer.len, 0, NULL);
	if (!json_is_string(json_object_get(value, "status")) ||
	    !json_is_array(json_object_get(value, "trouble"))) {
		snprintf(why, size, "what answers at %s is not ocspd",
		    address);
		json_decref(value);
		return NULL;
	}
	return value;
}

void
health_add(const char *address, json_t *status)
{
	json_t *trouble = json_object_get(status, "trouble");
	const json_t *sentence;
	json_t *health;
	char text[512];
	size_t i;

	health = fetch(address, text, sizeof(text));
	if (health == NULL) {
		json_array_append_new(trouble, json_string(text));
		json_object_set_new(status, "ocspd",
		    json_pack("{s:s}", "status", "unreachable"));
		return;
	}
	json_array_foreach(json_object_get(health, "trouble"), i, sentence) {
		snprintf(text, sizeof(text), "ocspd: %.480s",
		    json_is_string(sentence) ? json_string_value(sentence) :
		    "?");
		json_array_append_new(trouble, json_string(text));
	}
	json_object_set_new(status, "ocspd", json_pack("{s:O}", "status",
	    json_object_get(health, "status")));
	json_decref(health);
}
