#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

#include <stdio.h>
#include <string.h>

/* `csrmail mail`: replies and notices on their way out. */
static const struct column list_columns[] = {
	{ "ID",		"id",		0 },
	{ "STATE",	"state",	0 },
	{ "TO",		"recipient",	40 },
	{ "CREATED",	"created_at",	0 },
	{ "TRIES",	"attempts",	0 },
	{ "REQUEST",	"request",	0 },
	{ "CAME BACK",	"bounce",	60 },
	{ "ANSWER",	"last_answer",	60 },
};
static const struct column show_columns[] = {
	{ "mail",	"id",		0 },
	{ "state",	"state",	0 },
	{ "mailbox",	"mailbox",	0 },
	{ "sender",	"sender",	0 },
	{ "to",		"recipient",	0 },
	{ "Message-ID",	"message_id",	0 },
	{ "request",	"request",	0 },
	{ "created",	"created_at",	0 },
	{ "tries",	"attempts",	0 },
	{ "next",	"next_attempt",	0 },
	{ "sent",	"sent_at",	0 },
	{ "answer",	"last_answer",	0 },
	{ "came back",	"bounced_at",	0 },
	{ "because",	"bounce",	0 },
};
#define N(columns)	(sizeof(columns) / sizeof((columns)[0]))

/* Ours, and so 7 bit; all the same, nothing reaches the terminal but text. */
static void
put_message(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p == '\n' || ((unsigned char)*p >= ' ' &&
		    (unsigned char)*p < 0x7f))
			putchar(*p);
}

int
ctl_mail_list(struct ctl *ctl, struct err *err)
{
	return rows_list_states(ctl, "outbox", "queued", list_columns,
	    N(list_columns), err);
}

int
ctl_mail_show(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *mail = NULL;
	const char *message;

	client_path(&path, "outbox/", ctl->args[0], "");
	if (client_get(ctl, buf_str(&path), NULL, &mail, err) != 0)
		return -1;
	table_print_object(ctl, mail, show_columns, N(show_columns));
	message = json_string_value(json_object_get(mail, "message"));
	if (!ctl->json && message != NULL) {
		putchar('\n');
		put_message(message);
	}
	json_decref(mail);
	return 0;
}

int
ctl_mail_retry(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(path, 512);
	json_t *mail = NULL;

	client_path(&path, "outbox/", ctl->args[0], "/retry");
	if (client_post(ctl, buf_str(&path), NULL, &mail, err) != 0)
		return -1;
	if (ctl->json)
		table_print_json(mail);
	else
		printf("mail %s is queued again\n", ctl->args[0]);
	json_decref(mail);
	return 0;
}
