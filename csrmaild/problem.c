#include "csrmaild/problem.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t	 status;
	const char	*title;
} titles[] = {
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

const char *
problem_title(uint16_t status)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

json_t *
json_text(const char *text)
{
	json_t *value = json_string(text);
	char *plain;

	if (value != NULL)
		return value;
	/* Not UTF-8: somebody's raw octets. Shown as far as they are ASCII. */
	plain = strdup(text);
	if (plain == NULL)
		return NULL;
	for (char *p = plain; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	value = json_string(plain);
	free(plain);
	return value;
}

int
json_write(const json_t *value, struct buf *out)
{
	size_t n = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS);
	uint8_t *to = n == 0 ? NULL : buf_reserve(out, n);

	if (to == NULL) {
		out->failed = true;
		return -1;
	}
	json_dumpb(value, (char *)to, n, JSON_COMPACT | JSON_SORT_KEYS);
	out->len += n;
	out->data[out->len] = '\0';
	return 0;
}

void
problem_write(uint16_t status, const char *detail, struct buf *out)
{
	json_t *problem = json_pack("{s:s, s:s, s:i, s:o}",
	    "type", "about:blank", "title", problem_title(status),
	    "status", (int)status, "detail", json_text(detail));

	buf_clear(out);
	if (problem == NULL || json_write(problem, out) != 0) {
		buf_clear(out);
		buf_append_str(out, "{\"title\":\"Internal Server Error\","
		    "\"status\":500}");
	}
	json_decref(problem);
}
