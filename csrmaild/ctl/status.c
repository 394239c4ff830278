#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/health.h"

#include "csrmaild/settings.h"

#include "common/err.h"

#include <string.h>

/* How it goes: status, reload. */

/* Any value on one line: the registrar tells more than is known here. */
static void
put_value(const json_t *value)
{
	const char *key, *comma = "";
	json_t *inner;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_object_foreach((json_t *)(uintptr_t)value, key, inner) {
			printf("%s", comma);
			table_put_text(stdout, key, 0);
			fputs(json_is_object(inner) ? ": " : " ", stdout);
			put_value(inner);
			comma = json_is_object(inner) ? "; " : ", ";
		}
		break;
	case JSON_STRING:
		table_put_text(stdout, json_string_length(value) == 0 ? "-" :
		    json_string_value(value), 0);
		break;
	case JSON_INTEGER:
		printf("%lld", (long long)json_integer_value(value));
		break;
	case JSON_TRUE:
		fputs("yes", stdout);
		break;
	case JSON_FALSE:
		fputs("no", stdout);
		break;
	case JSON_ARRAY:
		printf("%zu", json_array_size(value));
		break;
	case JSON_REAL:
	case JSON_NULL:
		putchar('-');
		break;
	}
}

static void
put_line(const char *key, const json_t *value)
{
	printf("%-10s  ", key);
	put_value(value);
	putchar('\n');
}

static void
put_section(const char *key, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		put_line(key, value);
		return;
	}
	json_array_foreach((json_t *)(uintptr_t)value, i, item)
		put_line(i == 0 ? key : "", item);
}

int
ctl_status(struct ctl *ctl, struct err *err)
{
	json_t *status = NULL, *value;
	const json_t *trouble;
	const char *key;
	struct err ignored;

	if (client_get(ctl, "status", NULL, &status, err) != 0)
		return -1;
	/* With --socket alone there is no configuration to tell where. */
	if ((ctl->socket == NULL || ctl->settings != NULL) &&
	    ctl_need_settings(ctl, &ignored) == 0 &&
	    ctl->settings->ocspd_health[0] != '\0')
		health_add(ctl->settings->ocspd_health, status);
	trouble = json_object_get(status, "trouble");
	if (ctl->json) {
		table_print_json(status);
	} else {
		json_object_foreach(status, key, value)
			if (strcmp(key, "trouble") != 0)
				put_section(key, value);
		if (json_array_size(trouble) > 0)
			put_section("TROUBLE", trouble);
		else
			puts("all is well");
	}
	ctl->exit_code = json_array_size(trouble) > 0 ? 1 : 0;
	json_decref(status);
	return 0;
}

int
ctl_reload(struct ctl *ctl, struct err *err)
{
	json_t *answer = NULL;

	/* Found here already, with file and line, if it is wrong. */
	if (ctl->socket == NULL && ctl_need_settings(ctl, err) != 0)
		return -1;
	if (client_post(ctl, "reload", NULL, &answer, err) != 0)
		return -1;
	json_decref(answer);
	if (!ctl->json)
		puts("csrmaild starts anew with this configuration");
	return 0;
}
