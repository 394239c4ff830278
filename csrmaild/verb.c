#include "csrmaild/verb.h"

#include "csrmaild/describe.h"

#include "common/err.h"
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
verb_refuse(struct verb_call *vc, uint16_t status, const char *fmt, ...)
{
	va_list ap;

	vc->status = status;
	va_start(ap, fmt);
	vsnprintf(vc->problem, sizeof(vc->problem), fmt, ap);
	va_end(ap);
	return 0;
}

uint16_t
verb_status_of(const struct err *err)
{
	switch (err->kind) {
	case ERR_REJECT:
		return 409;
	case ERR_RETRY:
		return 503;
	case ERR_FAULT:
		return 500;
	}
	return 500;
}

int
verb_fail(struct verb_call *vc, const struct err *err)
{
	if (err->kind != ERR_REJECT)
		log_warn("api.failed", STR("why", err->text),
		    STR("detail", err->detail), STR("principal", vc->who));
	return verb_refuse(vc, verb_status_of(err), "%s", err->text);
}

const char *
verb_text(const struct verb_call *vc, const char *name)
{
	return json_string_value(json_object_get(vc->args, name));
}

int64_t
verb_number(const struct verb_call *vc, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(vc->args, name);

	if (json_is_integer(value))
		return (int64_t)json_integer_value(value);
	if (json_is_string(value))
		return strtoll(json_string_value(value), NULL, 10);
	return otherwise;
}

unsigned int
verb_limit(const struct verb_call *vc)
{
	return (unsigned int)verb_number(vc, "limit", 100);
}

int64_t
verb_id(const struct verb_call *vc)
{
	size_t digits = strspn(vc->part, "0123456789");

	/* 18 digits always fit. */
	if (digits == 0 || digits > 18 || vc->part[digits] != '\0')
		return 0;
	return strtoll(vc->part, NULL, 10);
}

void
verb_page_open(struct verb_page *page, struct verb_call *vc)
{
	*page = (struct verb_page){ .call = vc, .items = json_array(),
		.limit = verb_limit(vc) };
	json_object_set_new(vc->answer, "items", page->items);
	json_object_set_new(vc->answer, "next", json_null());
}

void
verb_page_add(struct verb_page *page, json_t *row, int64_t id)
{
	json_array_append_new(page->items, row);
	/* A full page may have another behind it. */
	if (++page->n >= page->limit)
		describe_number(page->call->answer, "next", id);
}

int
verb_revocation(struct verb_call *vc, enum crl_reason *reason,
    time_t *invalidity)
{
	const char *name = verb_text(vc, "reason");

	/* What may be left out has one. */
	if (name == NULL)
		name = crl_reason_name(*reason);
	*invalidity = (time_t)verb_number(vc, "invalidity", 0);
	if (crl_reason_from_name(name, reason) != 0)
		verb_refuse(vc, 400, "reason: %.32s is none: unspecified, "
		    "keyCompromise, cACompromise, affiliationChanged, "
		    "superseded, cessationOfOperation, certificateHold, "
		    "privilegeWithdrawn or aACompromise", name);
	else if (*invalidity > vc->now)
		verb_refuse(vc, 400, "invalidity lies in the future");
	else
		return 0;
	return -1;
}
