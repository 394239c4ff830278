#include "csrmaild/ctl/ctl.h"

#include "csrmaild/policy.h"
#include "csrmaild/settings.h"

#include "common/err.h"

#include <unistd.h>

/* The configuration has been read and checked before this is called. */
int
ctl_policy_check(struct ctl *ctl, struct err *err)
{
	const struct settings *settings = ctl->settings;
	json_t *out;

	/* As csrmaild will; others may not read the files. */
	if ((geteuid() == 0 || settings->unprivileged) &&
	    settings_read_secrets(ctl->settings, err) == -1) {
		ctl->exit_code = EX_CONFIG;
		return -1;
	}
	if (!ctl->json) {
		printf("%s is correct: %zu mailboxes, %zu CAs, %zu profiles, "
		    "%zu rule sets\n", ctl->conf, settings->n_mailboxes,
		    settings->n_cas, settings->n_profiles, settings->n_rules);
		return 0;
	}
	out = json_pack("{s:[], s:[], s:[], s:[]}", "mailboxes", "cas",
	    "profiles", "rules");
	for (size_t i = 0; i < settings->n_mailboxes; i++)
		json_array_append_new(json_object_get(out, "mailboxes"),
		    json_string(settings->mailboxes[i].title));
	for (size_t i = 0; i < settings->n_cas; i++)
		json_array_append_new(json_object_get(out, "cas"),
		    json_string(settings->cas[i].name));
	for (size_t i = 0; i < settings->n_profiles; i++)
		json_array_append_new(json_object_get(out, "profiles"),
		    json_string(settings->profiles[i]->name));
	for (size_t i = 0; i < settings->n_rules; i++)
		json_array_append_new(json_object_get(out, "rules"),
		    json_string(rules_name(settings->rules[i])));
	table_print_json(out);
	json_decref(out);
	return 0;
}
