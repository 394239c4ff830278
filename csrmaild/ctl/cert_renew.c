#include "csrmaild/ctl/cert.h"
#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

#include <string.h>

/* The same key and names once more, from the request on record. */

static int
ask(struct ctl *ctl, const char *verb, json_t *args, char *id, size_t size,
    struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *request = NULL;
	int r;

	client_path(&path, "certificates/", ctl->args[0], verb);
	r = client_post(ctl, buf_str(&path), args, &request, err);
	if (r == 0)
		snprintf(id, size, "%lld", (long long)json_integer_value(
		    json_object_get(request, "id")));
	json_decref(request);
	return r;
}

static int
renew(struct ctl *ctl, const char *verb, struct err *err)
{
	static const struct {
		const char	*option, *arg;
	} flags[] = {
		{ "no-mail", "no_mail" }, { "revoke-old", "revoke_old" },
	};
	static const char *const texts[] = { "ca", "reason" };
	json_t *args = json_object();
	char id[24];
	long days, timeout_s;
	int r = cert_check_form(ctl, err);

	if (r == 0)
		r = ctl_number(ctl, "timeout", 1, 3600, 30, &timeout_s, err);
	if (r == 0)
		r = ctl_number(ctl, "days", 1, 36500, 0, &days, err);
	if (r == 0 && days > 0)
		json_object_set_new(args, "days", json_integer(days));
	for (size_t i = 0; i < 2; i++) {
		if (ctl_option(ctl, flags[i].option) != NULL)
			json_object_set_new(args, flags[i].arg,
			    json_integer(1));
		if (ctl_option(ctl, texts[i]) != NULL)
			json_object_set_new(args, texts[i],
			    json_string(ctl_option(ctl, texts[i])));
	}
	if (r == 0)
		r = ask(ctl, verb, args, id, sizeof(id), err);
	json_decref(args);
	return r == 0 ? cert_await(ctl, id, timeout_s, err) : -1;
}

int
ctl_cert_renew(struct ctl *ctl, struct err *err)
{
	return renew(ctl, "/renew", err);
}

int
ctl_cert_reissue(struct ctl *ctl, struct err *err)
{
	return renew(ctl, "/reissue", err);
}
