#include "csrmaild/ctl/ctl.h"

#include "csrmaild/ctl/alone.h"
#include "csrmaild/settings.h"

#include "common/err.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER_OCTETS	(17u << 20)
#define PAGE_ROWS		500
#define TIMEOUT_S		120L

static size_t
take_answer(char *data, size_t size, size_t n, void *arg)
{
	return buf_append(arg, data, size * n) == 0 ? size * n : 0;
}

static void
append_encoded(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		uint8_t c = (uint8_t)*p;

		/* unreserved (RFC 3986, 2.3) */
		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL)
			buf_append(out, p, 1);
		else
			buf_printf(out, "%%%02X", c);
	}
}

int
client_path(struct buf *out, const char *prefix, const char *text,
    const char *suffix)
{
	buf_append_str(out, prefix);
	append_encoded(out, text);
	return buf_append_str(out, suffix);
}

static void
append_query(struct buf *url, const json_t *args)
{
	const char *key, *mark = "?";
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)args, key, value) {
		buf_append_str(url, mark);
		append_encoded(url, key);
		buf_append_str(url, "=");
		if (json_is_integer(value))
			buf_printf(url, "%lld",
			    (long long)json_integer_value(value));
		else
			append_encoded(url, json_string_value(value));
		mark = "&";
	}
}

/* The socket's place: told, or as the configuration says. */
static int
find_socket(struct ctl *ctl, struct buf *path, struct err *err)
{
	if (ctl->socket != NULL)
		return buf_append_str(path, ctl->socket);
	if (ctl_need_settings(ctl, err) != 0)
		return -1;
	return buf_printf(path, "%s/api.sock", ctl->settings->run_dir);
}

static int
exit_code_of(long status)
{
	switch (status) {
	case 400:
	case 405:
		return EX_USAGE;
	case 403:
		return EX_NOPERM;
	case 404:
		return EX_NOINPUT;
	case 409:
	case 413:
	case 422:
		return EX_DATAERR;
	case 503:
		return EX_TEMPFAIL;
	default:
		return EX_SOFTWARE;
	}
}

static int
not_reached(struct ctl *ctl, const char *socket, int why, struct err *err)
{
	if (why == EACCES)
		return ctl_fail(ctl, EX_NOPERM, err, "%s: you may not talk to "
		    "csrmaild; the groups csrmail-admin, csrmail-security and "
		    "csrmail-audit may", socket);
	return ctl_fail(ctl, EX_UNAVAILABLE, err, "%s: csrmaild does not "
	    "answer (%s); is it running?", socket,
	    why == 0 ? "no connection" : strerror(why));
}

static int
read_answer(struct ctl *ctl, long status, const struct buf *answer,
    json_t **out, struct err *err)
{
	json_t *value = json_loadb((const char *)answer->data, answer->len, 0,
	    NULL);

	if (status >= 200 && status < 300 && value != NULL) {
		*out = value;
		return 0;
	}
	ctl_fail(ctl, exit_code_of(status), err, "%s", json_is_string(
	    json_object_get(value, "detail")) ? json_string_value(
	    json_object_get(value, "detail")) : "csrmaild gave no answer "
	    "that can be read");
	json_decref(value);
	return -1;
}

static int
perform(struct ctl *ctl, CURL *curl, const char *socket,
    const struct buf *answer, json_t **out, struct err *err)
{
	CURLcode r = curl_easy_perform(curl);
	long status = 0, why = 0;

	if (r == CURLE_COULDNT_CONNECT) {
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &why);
		return not_reached(ctl, socket, (int)why, err);
	}
	if (r != CURLE_OK)
		return ctl_fail(ctl, EX_TEMPFAIL, err, "%s: %s", socket,
		    curl_easy_strerror(r));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return read_answer(ctl, status, answer, out, err);
}

static int
call_desk(struct ctl *ctl, bool post, const char *path, const json_t *args,
    json_t **out, struct err *err)
{
	OWNED_BUF(answer, MAX_ANSWER_OCTETS);
	uint16_t status;

	if (alone_call(ctl, post ? "POST" : "GET", path, args, &status,
	    &answer, err) != 0)
		return -1;
	return read_answer(ctl, status, &answer, out, err);
}

/* octets: the body instead of args, which are the query then; or NULL. */
static int
call_daemon(struct ctl *ctl, bool post, const char *path, const json_t *args,
    const struct bytes *octets, json_t **out, struct err *err)
{
	OWNED_BUF(socket, 108);
	OWNED_BUF(url, 8192);
	OWNED_BUF(answer, MAX_ANSWER_OCTETS);
	struct curl_slist *header = NULL;
	char *body = NULL;
	CURL *curl;
	int r;

	if (find_socket(ctl, &socket, err) != 0)
		return socket.failed ? ctl_fail(ctl, EX_CONFIG, err,
		    "the socket's name is too long") : -1;
	buf_printf(&url, "http://localhost/api/v1/%s", path);
	if ((!post || octets != NULL) && args != NULL)
		append_query(&url, args);
	if (post && octets == NULL)
		body = args == NULL ? strdup("{}") :
		    json_dumps(args, JSON_COMPACT);
	curl = curl_easy_init();
	if (curl == NULL || url.failed ||
	    (post && octets == NULL && body == NULL)) {
		curl_easy_cleanup(curl);
		free(body);
		return err_set(err, ERR_FAULT, "too long, or out of memory");
	}
	header = curl_slist_append(NULL, octets == NULL ?
	    "Content-Type: application/json" :
	    "Content-Type: application/octet-stream");
	/* Nobody is asked whether so much is welcome. */
	if (octets != NULL)
		header = curl_slist_append(header, "Expect:");
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, buf_str(&socket));
	curl_easy_setopt(curl, CURLOPT_URL, buf_str(&url));
	/* The environment's proxies have no say here. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (post) {
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header);
		if (octets != NULL)
			curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
			    (curl_off_t)octets->len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, octets == NULL ?
		    body : (const char *)octets->data);
	}
	r = perform(ctl, curl, buf_str(&socket), &answer, out, err);
	curl_easy_cleanup(curl);
	curl_slist_free_all(header);
	free(body);
	return r;
}

/* The daemon; or the folder itself, where there is none and none is needed. */
static int
call(struct ctl *ctl, bool post, const char *path, const json_t *args,
    json_t **out, struct err *err)
{
	if (ctl->folder == NULL && ctl->desk == NULL) {
		if (call_daemon(ctl, post, path, args, NULL, out, err) == 0)
			return 0;
		if (ctl->exit_code != EX_UNAVAILABLE || !alone_is_fit(ctl))
			return -1;
		ctl->exit_code = 0;
	}
	return call_desk(ctl, post, path, args, out, err);
}

int
client_get(struct ctl *ctl, const char *path, const json_t *args,
    json_t **out, struct err *err)
{
	return call(ctl, false, path, args, out, err);
}

int
client_post(struct ctl *ctl, const char *path, const json_t *args,
    json_t **out, struct err *err)
{
	return call(ctl, true, path, args, out, err);
}

int
client_post_octets(struct ctl *ctl, const char *path, const json_t *args,
    struct bytes octets, json_t **out, struct err *err)
{
	return call_daemon(ctl, true, path, args, &octets, out, err);
}

int
client_list(struct ctl *ctl, const char *path, json_t *args, json_t **out,
    struct err *err)
{
	long left, after;
	json_t *all;

	if (ctl_number(ctl, "limit", 1, 1000000000, 1000000000, &left,
	    err) != 0 ||
	    ctl_number(ctl, "after", 0, INT64_MAX, 0, &after, err) != 0)
		return -1;
	all = json_array();
	while (left > 0) {
		json_t *page, *next;

		json_object_set_new(args, "limit", json_integer(
		    left < PAGE_ROWS ? left : PAGE_ROWS));
		json_object_set_new(args, "after", json_integer(after));
		if (client_get(ctl, path, args, &page, err) != 0) {
			json_decref(all);
			return -1;
		}
		left -= (long)json_array_size(json_object_get(page, "items"));
		json_array_extend(all, json_object_get(page, "items"));
		next = json_object_get(page, "next");
		after = (long)json_integer_value(next);
		if (!json_is_integer(next))
			left = 0;
		json_decref(page);
	}
	*out = all;
	return 0;
}
