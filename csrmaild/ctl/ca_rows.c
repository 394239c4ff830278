#include "csrmaild/ctl/ca_rows.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/settings.h"
#include "csrmaild/describe.h"

#include "common/ca.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/store.h"

#include <stdio.h>
#include <string.h>

struct reading {
	struct store	*store;
	json_t		*rows;
	struct err	*err;
};

static int
add_row(const struct ca_row *row, void *arg)
{
	struct reading *reading = arg;
	json_t *ca;

	if (describe_ca(reading->store, row, clock_now(), &ca,
	    reading->err) != 0)
		return -1;
	json_array_append_new(reading->rows, ca);
	return 0;
}

static int
read_store(struct ctl *ctl, json_t **out, struct err *err)
{
	OWNED_STRUCT(store) *store = NULL;
	OWNED_BUF(path, 4096);
	struct reading reading = { .err = err };

	if (ctl_need_settings(ctl, err) != 0)
		return -1;
	buf_printf(&path, "%s/store.db", ctl->settings->state_dir);
	if (store_open(buf_str(&path), STORE_READ_ONLY, &store, err) != 0)
		return -1;
	reading.store = store;
	reading.rows = json_array();
	if (store_each_ca(store, add_row, &reading, err) != 0) {
		json_decref(reading.rows);
		return -1;
	}
	*out = reading.rows;
	return 0;
}

int
ca_rows_read(struct ctl *ctl, json_t **out, struct err *err)
{
	json_t *answer = NULL;
	struct err other;

	if (ctl->folder != NULL)
		return read_store(ctl, out, err);
	if (client_get(ctl, "cas", NULL, &answer, err) == 0) {
		*out = json_incref(json_object_get(answer, "items"));
		json_decref(answer);
		return 0;
	}
	if (ctl->exit_code != EX_UNAVAILABLE || ctl->socket != NULL ||
	    read_store(ctl, out, &other) != 0)
		return -1;
	ctl->exit_code = 0;
	return 0;
}

int
ca_rows_read_crls(struct ctl *ctl, const char *ca, json_t **out, struct err *err)
{
	json_t *answer = NULL, *rows, *row;
	size_t i;

	if (client_get(ctl, "crls", NULL, &answer, err) != 0)
		return -1;
	rows = json_array();
	json_array_foreach(json_object_get(answer, "items"), i, row) {
		const char *name = json_string_value(
		    json_object_get(row, "ca"));

		if (ca == NULL || (name != NULL && ca_is_meant(ca, name)))
			json_array_append(rows, row);
	}
	json_decref(answer);
	if (ca != NULL && json_array_size(rows) == 0) {
		json_decref(rows);
		return ctl_fail(ctl, EX_NOINPUT, err, "there is no CA %s", ca);
	}
	*out = rows;
	return 0;
}

const json_t *
ca_rows_full_crl(const json_t *lists, const char *ca)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)lists, i, row) {
		const char *is = json_string_value(json_object_get(row, "ca"));

		if (is != NULL && strcmp(is, ca) == 0 &&
		    json_integer_value(json_object_get(row, "shard")) == 0 &&
		    json_object_get(row, "base") == NULL)
			return row;
	}
	return NULL;
}

const json_t *
ca_rows_find(const json_t *rows, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
		const char *is = json_string_value(
		    json_object_get(row, "name"));

		if (is != NULL && strcmp(is, name) == 0)
			return row;
	}
	return NULL;
}

void
ca_rows_now(char out[CA_ROWS_TIME_SIZE])
{
	json_t *now = json_object();

	describe_time(now, "now", clock_now());
	snprintf(out, CA_ROWS_TIME_SIZE, "%s",
	    json_string_value(json_object_get(now, "now")));
	json_decref(now);
}

static bool
is_valid_now(const json_t *row)
{
	const char *from = json_string_value(
	    json_object_get(row, "not_before"));
	const char *until = json_string_value(
	    json_object_get(row, "not_after"));
	char at[CA_ROWS_TIME_SIZE];

	ca_rows_now(at);
	return from != NULL && until != NULL && strcmp(from, at) <= 0 &&
	    strcmp(at, until) < 0;
}

const json_t *
ca_rows_current(const json_t *rows, const char *name)
{
	const json_t *row, *best = NULL;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
		const char *is = json_string_value(
		    json_object_get(row, "name"));

		if (is == NULL || !ca_is_meant(name, is))
			continue;
		if (best == NULL || is_valid_now(row) > is_valid_now(best) ||
		    (is_valid_now(row) == is_valid_now(best) &&
		    ca_generation(is) > ca_generation(json_string_value(
		    json_object_get(best, "name")))))
			best = row;
	}
	return best;
}
