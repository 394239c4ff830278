#include "csrmaild/crew.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/seal_files.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level
level_of(const struct settings *settings)
{
	static const char *const names[] = { "debug", "info", "warn",
		"error" };

	for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
		if (strcmp(settings->log_level, names[i]) == 0)
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

/* Where commands may leave files: exec's own folder, made by us since what is
 * above it is not exec's. */
static int
make_home(const struct settings *settings, const struct identity *owner,
    struct err *err)
{
	char home[4200];
	OWNED_FD fd = -1;

	snprintf(home, sizeof(home), "%s/exec", settings->state_dir);
	if (mkdir(home, 0700) == -1 && errno != EEXIST)
		return err_set(err, ERR_FAULT, "%s: %s", home,
		    strerror(errno));
	fd = open(home, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, owner->uid, owner->gid) == -1)
		return err_set(err, ERR_FAULT, "%s: %s", home,
		    strerror(errno));
	return 0;
}

static int
spawn(struct crew *crew, const struct crew_role *role, const char *instance,
    const struct crew_options *options, struct err *err)
{
	struct crew_member *member = &crew->members[crew->n];
	char keys[4200], journal[4200], store[4200];
	const char *const probes[] = { keys, journal, store, "/etc/shadow",
		NULL };
	struct role_spec spec = { .program = "csrmaild", .role = role->name,
		.instance = instance,
		.log_level = level_of(options->settings),
		.probe = options->probe,
		.probe_paths = options->probe ? probes : NULL,
		.test_clock_offset_s = options->test_clock_offset_s,
		.test_crash_at = options->test_crash_at };

	snprintf(keys, sizeof(keys), "%s/keys", options->settings->state_dir);
	snprintf(journal, sizeof(journal), "%s/journal",
	    options->settings->state_dir);
	snprintf(store, sizeof(store), "%s/store.db",
	    options->settings->state_dir);
	if (crew->n == CREW_MAX)
		return err_set(err, ERR_FAULT, "too many roles");
	if (privsep_find_identity(options->settings->unprivileged ? "" :
	    role->user, &spec.identity, err) == -1)
		return -1;
	if (role->number == CREW_WITH_COMMANDS &&
	    make_home(options->settings, &spec.identity, err) == -1)
		return -1;
	*member = (struct crew_member){ .role = role };
	snprintf(member->instance, sizeof(member->instance), "%s", instance);
	if (role_spawn(&spec, &member->process, err) == -1)
		return -1;
	crew->n++;
	return 0;
}

static bool
has_commands(const struct settings *settings)
{
	for (size_t m = 0; m < settings->n_mailboxes; m++)
		if (settings->mailboxes[m].imap.n_token_command > 0)
			return true;
	return settings->smtp.n_token_command > 0;
}

static bool
has_seals(const struct settings *settings)
{
	for (size_t m = 0; m < settings->n_mailboxes; m++)
		if (settings_signs(&settings->mailboxes[m]))
			return true;
	return false;
}

static int
spawn_role(struct crew *crew, const struct crew_role *role,
    const struct crew_options *options, struct err *err)
{
	const struct settings *settings = options->settings;
	char instance[16];

	switch (role->number) {
	case CREW_ONE:
		return spawn(crew, role, "", options, err);
	case CREW_WITH_COMMANDS:
		return has_commands(settings) ?
		    spawn(crew, role, "", options, err) : 0;
	case CREW_WITH_SEALS:
		return has_seals(settings) ?
		    spawn(crew, role, "", options, err) : 0;
	case CREW_PER_MAILBOX:
		for (size_t m = 0; m < settings->n_mailboxes; m++)
			if (spawn(crew, role, settings->mailboxes[m].title,
			    options, err) == -1)
				return -1;
		return 0;
	case CREW_PER_SESSION:
		if (spawn(crew, role, "", options, err) == -1)
			return -1;
		for (unsigned int i = 2; i <= settings->smtp_sessions; i++) {
			snprintf(instance, sizeof(instance), "%u", i);
			if (spawn(crew, role, instance, options, err) == -1)
				return -1;
		}
		return 0;
	}
	return 0;
}

static int
spawn_all(struct crew *crew, const struct crew_options *options,
    struct err *err)
{
	for (size_t i = 0; i < crew->n_roles; i++)
		if (spawn_role(crew, &crew->roles[i], options, err) == -1)
			return -1;
	return 0;
}

/* What a member is called by its peer: "signer", "intake:TITLE". */
static void
name_for_peer(const struct crew_member *member, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", member->role->name,
	    member->instance[0] == '\0' ? "" : ":", member->instance);
}

static int
connect_two(struct crew_member *a, struct crew_member *b, struct err *err)
{
	char name_a[96], name_b[96];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_errno(err, ERR_FAULT, "socketpair");
	name_for_peer(a, name_a, sizeof(name_a));
	name_for_peer(b, name_b, sizeof(name_b));
	if (role_give(&a->process, name_b, pair[0], err) == -1) {
		close(pair[1]);
		return -1;
	}
	return role_give(&b->process, name_a, pair[1], err);
}

static int
connect_all(struct crew *crew, struct err *err)
{
	for (size_t e = 0; e < crew->n_edges; e++)
		for (size_t i = 0; i < crew->n; i++)
			for (size_t j = 0; j < crew->n; j++) {
				struct crew_member *a = &crew->members[i];
				struct crew_member *b = &crew->members[j];

				if (strcmp(a->role->name,
				    crew->edges[e].a) == 0 &&
				    strcmp(b->role->name,
				    crew->edges[e].b) == 0 &&
				    connect_two(a, b, err) == -1)
					return -1;
			}
	return 0;
}

static int
open_public(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? err_set(err, ERR_FAULT, "%s: %s", path,
	    strerror(errno)) : fd;
}

static int
give_dup(struct crew_member *member, const char *name, int fd,
    struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return err_errno(err, ERR_FAULT, "dup");
	return role_give(&member->process, name, copy, err);
}

static int
give_passphrases(struct crew_member *member, const struct settings *settings,
    struct err *err)
{
	const char *from;
	char name[96];

	for (size_t i = 0; i < settings->n_cas; i++) {
		const struct ca_settings *ca = &settings->cas[i];
		int fd, r = passphrase_open(ca->name, ca->passphrase_file,
		    &fd, &from, err);

		if (r == 1)
			continue;	/* `csrmail ca unlock` opens it */
		snprintf(name, sizeof(name), "passphrase:%s", ca->name);
		if (r == -1 || role_give(&member->process, name, fd,
		    err) == -1)
			return -1;
		log_info("passphrase.found", STR("ca", ca->name),
		    STR("source", from));
	}
	return 0;
}

/* Whose secrets it may have; NULL: nobody's. */
static const struct server_settings *
server_of(const struct crew_member *member, const struct settings *settings)
{
	const struct mailbox_settings *mailbox;

	if (strcmp(member->role->name, "submit") == 0)
		return settings->smtp.host == NULL ? NULL : &settings->smtp;
	if (strcmp(member->role->name, "intake") != 0)
		return NULL;
	mailbox = settings_mailbox(settings, member->instance);
	return settings_is_drop(mailbox) ? NULL : &mailbox->imap;
}

static int
give_login(struct crew_member *member, const struct server_settings *server,
    struct err *err)
{
	const struct {
		const char	*name, *path;
	} files[] = {
		{ "password", server->password_file },
		{ "client_certificate", server->client_certificate },
		{ "client_key_file", server->client_key_file },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd;

		if (files[i].path[0] == '\0')
			continue;
		/* A certificate is no secret. */
		fd = strcmp(files[i].name, "client_certificate") == 0 ?
		    open_public(files[i].path, err) :
		    passphrase_open_file(files[i].path, err);
		if (fd < 0 || role_give(&member->process, files[i].name, fd,
		    err) == -1)
			return -1;
	}
	return 0;
}

/* One that cannot be opened any more is missed by its mailbox alone: sealer
 * says so, and its mails wait. */
static int
give_seals(struct crew_member *member, const struct settings *settings,
    struct err *err)
{
	char name[SEAL_DESCRIPTOR_SIZE];

	for (unsigned int m = 0; m < settings->n_mailboxes; m++) {
		const struct mailbox_settings *mailbox =
		    &settings->mailboxes[m];

		for (int i = 0; settings_signs(mailbox) &&
		    i < SEAL_FILES; i++) {
			enum seal_file file = (enum seal_file)i;
			struct err why;
			int fd;

			if (mailbox->smime_files[i][0] == '\0')
				continue;
			fd = seal_file_open(mailbox, file, &why);
			if (fd < 0)
				log_error("seal.file", STR("mailbox",
				    mailbox->title), STR("why", why.text));
			else if (role_give(&member->process,
			    seal_descriptor(file, m, name), fd, err) == -1)
				return -1;
		}
	}
	return 0;
}

static int
give_own(struct crew_member *member, const struct crew_options *options,
    struct err *err)
{
	const struct settings *settings = options->settings;
	const char *name = member->role->name;
	const struct server_settings *server;
	int bundle;

	/* The parser's limits come with each message; api has none of ours. */
	if (strcmp(name, "parser") == 0 || strcmp(name, "api") == 0)
		return 0;
	bundle = settings_bundle_fd(settings, err);
	if (bundle == -1 ||
	    role_give(&member->process, "settings", bundle, err) == -1)
		return -1;
	if (strcmp(name, "registrar") == 0 &&
	    (give_dup(member, "lock", options->lock_fd, err) == -1 ||
	    give_dup(member, "api_socket", options->api_fd, err) == -1))
		return -1;
	if (strcmp(name, "signer") == 0 &&
	    (give_dup(member, "unlock_socket", options->unlock_fd,
	    err) == -1 || give_passphrases(member, settings, err) == -1))
		return -1;
	if (strcmp(name, "sealer") == 0 &&
	    give_seals(member, settings, err) == -1)
		return -1;
	server = server_of(member, settings);
	return server == NULL ? 0 : give_login(member, server, err);
}

void
crew_give_token(struct crew_member *member, const struct settings *settings)
{
	const struct server_settings *server = server_of(member, settings);
	struct err err;
	int fd;

	err_set(&err, ERR_FAULT, "none is configured");
	fd = server == NULL || server->token_file[0] == '\0' ? -1 :
	    passphrase_open_file(server->token_file, &err);
	/* A role that is gone will be told by SIGCHLD. */
	(void)wire_send_token_opened(member->process.control, fd,
	    fd < 0 ? err.text : "", &err);
}

int
crew_start(struct crew *crew, const struct crew_options *options,
    struct err *err)
{
	int r;

	crew->n = 0;
	r = spawn_all(crew, options, err);
	if (r == 0)
		r = connect_all(crew, err);
	for (size_t i = 0; r == 0 && i < crew->n; i++)
		r = give_own(&crew->members[i], options, err);
	for (size_t i = 0; r == 0 && i < crew->n; i++)
		r = role_go(&crew->members[i].process, err);
	if (r == -1)
		crew_stop(crew, 0);
	return r;
}

bool
crew_is_ready(const struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++)
		if (!crew->members[i].ready)
			return false;
	return true;
}

bool
crew_reap(struct crew *crew)
{
	bool ours = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < crew->n; i++) {
			struct crew_member *m = &crew->members[i];

			if (m->process.pid != pid || m->gone)
				continue;
			m->gone = true;
			ours = true;
			if (crew->stopping && WIFEXITED(status))
				continue;	/* as it was asked to */
			log_warn("role.ended", STR("role", m->role->name),
			    STR("instance", m->instance), NUM("pid", pid),
			    NUM("exit", WIFEXITED(status) ?
			    WEXITSTATUS(status) : -1),
			    NUM("signal", WIFSIGNALED(status) ?
			    WTERMSIG(status) : 0));
		}
	return ours;
}

/* Wait for one to end by itself, then end it. */
static void
stop_one(struct crew *crew, struct crew_member *member, int64_t until)
{
	if (!member->gone)
		kill(member->process.pid, SIGTERM);
	while (!member->gone && clock_monotonic_ms() < until) {
		poll(NULL, 0, 5);
		crew_reap(crew);
	}
	if (!member->gone)
		kill(member->process.pid, SIGKILL);
	while (!member->gone) {
		poll(NULL, 0, 5);
		crew_reap(crew);
	}
}

void
crew_stop(struct crew *crew, int grace_ms)
{
	int64_t until = clock_monotonic_ms() + grace_ms;

	crew->stopping = true;
	for (size_t i = crew->n; i > 0; i--)
		stop_one(crew, &crew->members[i - 1], until);
	for (size_t i = 0; i < crew->n; i++)
		channel_free(crew->members[i].process.control);
	crew->n = 0;
	crew->stopping = false;
}
