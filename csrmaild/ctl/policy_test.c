#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/policy_wish.h"

#include "csrmaild/drop_name.h"
#include "csrmaild/header.h"
#include "csrmaild/hint.h"
#include "csrmaild/message.h"
#include "csrmaild/policy.h"
#include "csrmaild/settings.h"
#include "csrmaild/smime.h"
#include "csrmaild/wire.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/privsep.h"

#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * `csrmail policy test FILE`: what would become of this mail? The same
 * scanner, parser and rules as csrmaild's, but nothing is written. As there,
 * the mail is read by a process that can reach nothing, here a child.
 *
 * Does not ask the store: that a key is blocked, ours or another's, and which
 * signatures are made with certificates of ours, only the registrar knows. Nor
 * the DNS: with dkim = "verify" only csrmaild knows whether that is good.
 */
#define PARSER_USER	"csrmail-parse"
#define MAX_CPU_S	10
#define MAX_WAIT_MS	20000

/* --- the child --- */

/* What a signature is worth, as far as it can be told here. */
static const char *
weigh_signature(const struct signature *s, struct envelope *envelope)
{
	if (!s->good)
		return s->text;
	if (!signature_bears(s, envelope->from))
		return "good, but for another mailbox than the sender's";
	if (!s->anchored)
		return "good; whether the certificate is one of ours, only "
		    "csrmaild knows";
	envelope->evidence |= EVIDENCE_SMIME;
	return "good, by a CA of smime_anchors";
}

/* A request in a file of its own has no header. */
static int
examine(struct bytes mail, bool is_csr,
    const struct mailbox_settings *mailbox, struct buf *out, struct err *err)
{
	const struct header_rules rules = { .own_address = mailbox->address,
		.authres = { mailbox->authserv_id,
		    mailbox->trusted_received,
		    mailbox->verify_dkim ? EVIDENCE_DKIM : 0 } };
	const struct prescan_limits limits = {
		.max_octets = mailbox->max_message_octets,
		.max_header_octets = mailbox->max_header_octets,
		.max_parts = mailbox->max_parts,
		.max_depth = mailbox->max_depth };
	OWNED_STRUCT(message) *message = NULL;
	OWNED_BUF(der, WIRE_MAX_SIGNER);
	OWNED_BUF(covered, WIRE_MAX_FINDINGS);
	struct signature signature;
	const char *worth = "";
	struct envelope envelope = { 0 };

	if (!is_csr)
		header_scan(mail, &rules, &envelope);
	if (settings_is_drop(mailbox))
		envelope.evidence |= EVIDENCE_FILE;
	if (!is_csr && header_is_signed(mail)) {
		if (smime_examine(mail, mailbox->smime_anchors, clock_now(),
		    &signature, &der, &covered, err) != 0)
			return -1;
		worth = weigh_signature(&signature, &envelope);
		if (signature.good)
			mail = buf_bytes(&covered);
	}
	if ((is_csr ? message_examine_file(mail, &message, err) :
	    message_examine(mail, &limits, &message, err)) != 0)
		return -1;
	put_str(out, envelope.from);
	put_u8(out, envelope.evidence);
	put_str(out, envelope.automatic);
	put_str(out, envelope.detail);
	put_str(out, worth);
	put_findings(out, message_findings(message));
	return out->failed ? -1 : 0;
}

static _Noreturn void
child(int fd, const struct identity *who, struct bytes mail, bool is_csr,
    const struct mailbox_settings *mailbox)
{
	const struct sandbox walls = { .max_cpu_s = MAX_CPU_S };
	OWNED_BUF(out, WIRE_MAX_FINDINGS + 4096);
	struct err err;

	privsep_harden_process();
	if (privsep_become(who, &err) != 0 ||
	    privsep_raise_walls(&walls, &err) != 0 ||
	    examine(mail, is_csr, mailbox, &out, &err) != 0)
		_exit(1);
	for (size_t at = 0; at < out.len;) {
		ssize_t n = write(fd, out.data + at, out.len - at);

		if (n <= 0)
			_exit(1);
		at += (size_t)n;
	}
	_exit(0);
}

/* What the child writes until it ends. 1: it died, or was late. */
static int
read_child(int fd, pid_t pid, struct buf *out)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char piece[4096];
	ssize_t n = -1;
	int status;

	while (poll(&p, 1, MAX_WAIT_MS) == 1 &&
	    (n = read(fd, piece, sizeof(piece))) > 0)
		if (buf_append(out, piece, (size_t)n) != 0)
			break;
	if (n != 0)
		kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && n == 0 &&
	    WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

/* 0 and what the child found, 1 when it died of it, -1. */
static int
examine_apart(struct bytes mail, bool is_csr,
    const struct mailbox_settings *mailbox, const struct settings *settings,
    struct buf *out, struct err *err)
{
	OWNED_FD in = -1;
	struct identity who;
	int ends[2];
	pid_t pid;

	if (privsep_find_identity(geteuid() == 0 && !settings->unprivileged ?
	    PARSER_USER : "", &who, err) != 0)
		return -1;
	fflush(NULL);
	if (pipe(ends) != 0)
		return err_errno(err, ERR_RETRY, "starting the examination");
	in = ends[0];
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child(ends[1], &who, mail, is_csr, mailbox);
	}
	close(ends[1]);
	if (pid < 0)
		return err_errno(err, ERR_RETRY, "starting the examination");
	return read_child(in, pid, out);
}

/* --- what the rules say --- */

static const char *const actions[] = { [ACTION_SIGN] = "sign",
	[ACTION_HOLD] = "hold", [ACTION_REJECT] = "reject" };

/* A sender may do better by answering a mail of ours. */
static void
tell_confirmed(const struct rules *rules, const struct petition *petition,
    const struct verdict *now, json_t *out)
{
	struct petition confirmed = *petition;
	struct verdict verdict;

	/* Nobody is asked who put a file into a folder. */
	if ((petition->evidence & EVIDENCE_FILE) != 0)
		return;
	confirmed.evidence |= EVIDENCE_REPLY;
	policy_decide(rules, &confirmed, &verdict, NULL);
	if (verdict.action < now->action)
		json_object_set_new(out, "confirmed", json_sprintf(
		    "%s, by the rule \"%s\"", actions[verdict.action],
		    verdict.rule));
}

static json_t *
judge(const struct settings *settings, const struct mailbox_settings *mailbox,
    const char *from, const char *detail, uint8_t evidence,
    const struct candidate *csr)
{
	const struct petition petition = { .mailbox = mailbox->title,
		.sender = from, .detail = detail, .evidence = evidence,
		.forwarded = csr->forwarded, .names = &csr->names,
		.key = &csr->key,
		.challenge = csr->has_challenge ? csr->challenge : NULL };
	const struct profile *profile;
	struct verdict verdict;
	char names[256];
	json_t *out = json_object();
	OWNED_BUF(why, 16384);
	struct err err;

	if (!csr->good) {
		json_object_set_new(out, "action", json_string("reject"));
		json_object_set_new(out, "text", json_string(csr->text));
		return out;
	}
	policy_decide(settings_rules(settings, mailbox->rules), &petition,
	    &verdict, &why);
	if (verdict.profile[0] == '\0')
		snprintf(verdict.profile, sizeof(verdict.profile), "%s",
		    mailbox->profile);
	profile = settings_profile(settings, verdict.profile);
	if (verdict.action != ACTION_REJECT && profile != NULL &&
	    profile_check_request(profile, &csr->names, &csr->key, &err) != 0) {
		verdict.action = ACTION_REJECT;
		snprintf(verdict.text, sizeof(verdict.text), "%s", err.text);
	}
	names_describe(&csr->names, names, sizeof(names));
	json_object_set_new(out, "names", json_string(names));
	json_object_set_new(out, "action",
	    json_string(actions[verdict.action]));
	json_object_set_new(out, "rule", json_string(verdict.rule));
	json_object_set_new(out, "profile", json_string(verdict.profile));
	json_object_set_new(out, "text", json_string(verdict.text));
	json_object_set_new(out, "why", json_string(buf_str(&why)));
	if (from[0] != '\0')
		tell_confirmed(settings_rules(settings, mailbox->rules),
		    &petition, &verdict, out);
	return out;
}

static void
tell(const struct ctl *ctl, const json_t *out)
{
	static const struct column head[] = {
		{ "from",	"from",		0 },
		{ "evidence",	"evidence",	0 },
		{ "dkim",	"dkim",		0 },
		{ "signature",	"signature",	0 },
		{ "automatic",	"automatic",	0 },
		{ "refused",	"refused",	0 },
	};
	static const struct column each[] = {
		{ "names",	"names",	0 },
		{ "action",	"action",	0 },
		{ "rule",	"rule",		0 },
		{ "profile",	"profile",	0 },
		{ "text",	"text",		0 },
		{ "confirmed",	"confirmed",	0 },
	};
	const json_t *request, *wish, *hint;
	size_t i;

	if (ctl->json) {
		table_print_json(out);
		return;
	}
	table_print_object(ctl, out, head, sizeof(head) / sizeof(head[0]));
	json_array_foreach(json_object_get(out, "hints"), i, hint)
		printf("%-11s%s\n", i == 0 ? "what to do" : "",
		    json_string_value(hint));
	json_array_foreach(json_object_get(out, "requests"), i, request) {
		const char *why = json_string_value(
		    json_object_get(request, "why"));

		printf("\nrequest %zu\n", i + 1);
		table_print_object(ctl, request, each,
		    sizeof(each) / sizeof(each[0]));
		for (; why != NULL && *why != '\0';
		    why += strcspn(why, "\n"), why += *why == '\n') {
			char line[512];

			snprintf(line, sizeof(line), "%.*s",
			    (int)strcspn(why, "\n"), why);
			fputs("    ", stdout);
			table_put_text(stdout, line, 0);
			putchar('\n');
		}
	}
	json_array_foreach(json_object_get(out, "revocations"), i, wish)
		policy_wish_print(ctl, wish, i + 1);
}

/* As the answer would have them. */
static void
add_hints(json_t *out, uint32_t hints, const char *language)
{
	json_t *list = json_array();

	for (int hint = 0; hint < HINT_END; hint++)
		if ((hints & HINT_BIT(hint)) != 0)
			json_array_append_new(list, json_string(hint_text(
			    (enum hint)hint, language)));
	json_object_set_new(out, "hints", list);
}

static int
explain(struct ctl *ctl, const struct mailbox_settings *mailbox,
    struct bytes octets, struct err *err)
{
	OWNED_STRUCT(findings) *found = NULL;
	struct cursor cursor = CURSOR(octets);
	char from[MAILBOX_MAX + 1], automatic[80], evidence[32] = "";
	char detail[64], worth[256];
	uint8_t bits;
	struct wish_asked asked = { .mailbox = mailbox, .from = from,
		.rules = settings_rules(ctl->settings, mailbox->rules),
		.detail = detail };
	json_t *out, *requests, *revocations;

	get_str(&cursor, from, sizeof(from));
	bits = get_u8(&cursor);
	get_str(&cursor, automatic, sizeof(automatic));
	get_str(&cursor, detail, sizeof(detail));
	get_str(&cursor, worth, sizeof(worth));
	get_findings(&cursor, &found);
	if (!cursor_end(&cursor))
		return err_set(err, ERR_FAULT, "the examination told nonsense");
	snprintf(evidence, sizeof(evidence), "%s%s%s%s",
	    (bits & EVIDENCE_FILE) != 0 ? "file " : "",
	    (bits & EVIDENCE_AUTH) != 0 ? "auth " : "",
	    (bits & EVIDENCE_DKIM) != 0 ? "dkim " : "",
	    (bits & EVIDENCE_SMIME) != 0 ? "smime" : "");
	requests = json_array();
	for (size_t i = 0; i < found->n_candidates; i++)
		json_array_append_new(requests, judge(ctl->settings, mailbox,
		    from, detail, bits, &found->candidates[i]));
	asked.evidence = bits;
	asked.sound = strncmp(worth, "good", 4) == 0;
	revocations = json_array();
	for (size_t i = 0; i < found->n_wishes; i++)
		if (found->wishes[i].kind == WISH_REVOKE)
			json_array_append_new(revocations, policy_wish_judge(
			    &asked, &found->wishes[i]));
	out = json_pack("{s:s, s:s, s:o, s:o}", "from",
	    from[0] == '\0' ? "nobody that can be told" : from, "evidence",
	    evidence[0] == '\0' ? "none" : evidence, "requests", requests,
	    "revocations", revocations);
	if (mailbox->verify_dkim)
		json_object_set_new(out, "dkim", json_string("only csrmaild "
		    "knows, it asks the DNS for the key"));
	if (worth[0] != '\0')
		json_object_set_new(out, "signature", json_string(worth));
	if (automatic[0] != '\0')
		json_object_set_new(out, "automatic", json_string(automatic));
	if (found->status != FINDINGS_OK)
		json_object_set_new(out, "refused", json_string(found->text));
	else if (found->n_candidates == 0 &&
	    !findings_ask_for(found, WISH_REVOKE) &&
	    !findings_ask_for(found, WISH_STATUS)) {
		json_object_set_new(out, "refused",
		    json_string("there is no request in it"));
		add_hints(out, found->hints, mailbox->language);
	}
	tell(ctl, out);
	json_decref(out);
	return 0;
}

int
ctl_policy_test(struct ctl *ctl, struct err *err)
{
	const char *title = ctl_option(ctl, "mailbox");
	const struct settings *settings = ctl->settings;
	const struct mailbox_settings *mailbox = NULL;
	const bool is_csr = drop_is_csr(ctl->args[0]);
	struct err secrets;
	OWNED_BUF(mail, WIRE_MAX_MESSAGE);
	OWNED_BUF(crlf, WIRE_MAX_MESSAGE);
	OWNED_BUF(out, WIRE_MAX_FINDINGS + 4096);

	if (title != NULL)
		mailbox = settings_mailbox(settings, title);
	else if (settings->n_mailboxes > 0)
		mailbox = &settings->mailboxes[0];
	if (mailbox == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "there is no such mailbox");
	/* Who may not read them sees in the answer what then does not match. */
	if (settings_read_secrets(ctl->settings, &secrets) == -1)
		fprintf(stderr, "csrmail: %s\n", secrets.text);
	if (ctl_read_file(ctl, ctl->args[0], &mail, err) != 0)
		return -1;
	/* A file has the line ends of its system, IMAP those of RFC 5322. */
	for (size_t i = 0; i < mail.len; i++) {
		if (!is_csr && mail.data[i] == '\n' &&
		    (i == 0 || mail.data[i - 1] != '\r'))
			buf_append_str(&crlf, "\r");
		buf_append(&crlf, mail.data + i, 1);
	}
	switch (examine_apart(buf_bytes(&crlf), is_csr, mailbox, settings,
	    &out, err)) {
	case 0:
		return explain(ctl, mailbox, buf_bytes(&out), err);
	case 1:
		return ctl_fail(ctl, EX_DATAERR, err, "%s: unreadable: the "
		    "examination died of it, or took too long", ctl->args[0]);
	}
	return -1;
}
