#include "csrmaild/parser.h"

#include "common/clock.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/log.h"
#include "common/privsep.h"
#include "common/role.h"
#include "csrmaild/examine.h"
#include "csrmaild/wire.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PARSER_USER		"csrmail-parse"
#define NOBODY			65534
#define MAX_JOBS		4
#define MAX_PEERS		ROLE_MAX_DESCRIPTORS
#define CPU_S			2	/* of one child */
#define DEADLINE_MS		5000	/* the same with slack: others
					 * want the processor too */
#define STACK_OCTETS		(4u << 20)
#define MEMORY_OCTETS		(512u << 20)	/* besides the message */

struct job {
	pid_t		 pid;		/* 0: free */
	int		 fd;		/* the child's pipe */
	struct channel	*peer;		/* borrowed */
	uint64_t	 id;
	enum examine_kind kind;		/* of the question */
	int64_t		 until_ms;
	struct buf	 out;		/* u32 length, findings */
};

struct parser {
	struct role	*role;
	struct channel	*peers[MAX_PEERS];	/* owned */
	size_t		 n_peers;
	struct job	 jobs[MAX_JOBS];
};

/* --- the child ----------------------------------------------------------- */

#ifdef TEST_HOOKS
static bool
is_test(struct bytes octets, const char *name)
{
	static const char field[] = "X-Parser-Test: ";
	size_t at = bytes_find(octets, bytes_of(field));

	return at != (size_t)-1 && bytes_equal(bytes_slice(octets,
	    at + sizeof(field) - 1, strlen(name)), bytes_of(name));
}

/* Findings for a question that nobody asked: who signed a mail. */
static void
tell_of_signature(int out)
{
	const struct findings found = { .id = 11, .status = FINDINGS_OK,
		.is_signed = true };
	OWNED_BUF(findings, 65536);
	OWNED_BUF(length, 4);

	put_findings(&findings, &found);
	put_u32(&length, (uint32_t)findings.len);
	if (write(out, length.data, length.len) == (ssize_t)length.len &&
	    write(out, findings.data, findings.len) == (ssize_t)findings.len)
		_exit(0);
}

/* What a child that was taken over, or fell over, might do. */
static void
misbehave(struct bytes octets, int out)
{
	static const char flood[4096];
	static const uint8_t other[] = { 0, 0, 0, 9,
		0, 0, 0, 0, 0, 0, 0, 77, 1 };

	if (is_test(octets, "abort"))
		abort();
	while (is_test(octets, "spin"))
		continue;
	if (is_test(octets, "hang")) {
		close(out);
		for (;;)
			pause();
	}
	while (is_test(octets, "flood") &&
	    write(out, flood, sizeof(flood)) > 0)
		continue;
	if (is_test(octets, "other") &&
	    write(out, other, sizeof(other)) == sizeof(other))
		_exit(0);
	if (is_test(octets, "signed"))
		tell_of_signature(out);
	if (is_test(octets, "escape")) {
		if (fork() != -1 || open("/etc/passwd", O_RDONLY) != -1 ||
		    socket(AF_INET, SOCK_STREAM, 0) != -1 ||
		    socket(AF_UNIX, SOCK_STREAM, 0) != -1)
			abort();
		for (int fd = 3; fd < 100; fd++)
			if (fd != out && fcntl(fd, F_GETFD) != -1)
				abort();
	}
}
#else
#define misbehave(octets, out)	((void)0)
#endif

static int
write_all(int fd, struct bytes octets)
{
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.data, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		octets = bytes_slice(octets, (size_t)n, octets.len);
	}
	return 0;
}

static int
raise_higher_walls(size_t octets, struct err *err)
{
	static const struct rlimit stack = { STACK_OCTETS, STACK_OCTETS };
	/* No fork, no open, no socket: memory, the pipe, and the log. */
	struct sandbox box = { .max_cpu_s = CPU_S,
	    .max_memory = MEMORY_OCTETS + 8 * octets };

	if (setrlimit(RLIMIT_STACK, &stack) == -1)
		return err_errno(err, ERR_FAULT, "setting a limit");
	return privsep_raise_walls(&box, err);
}

/*
 * Everything the parent knows of other mails is wiped before the first octet
 * of this one is looked at: it must not end in somebody else's answer.
 */
static void
forget_others(struct parser *parser, int keep_fd)
{
	for (size_t i = 0; i < parser->n_peers; i++)
		channel_free(parser->peers[i]);
	for (size_t i = 0; i < MAX_JOBS; i++)
		buf_wipe(&parser->jobs[i].out);
	if (keep_fd > 3)
		close_range(3, (unsigned int)keep_fd - 1, 0);
	close_range((unsigned int)keep_fd + 1, ~0U, 0);
}

/*
 * Who examines without the role may be root, also while it acts as another
 * user: the child is the parser's user for good, or, where there is none,
 * nobody.
 */
static int
drop_root(struct err *err)
{
	struct identity identity;
	struct err ignored;

	if (getuid() != 0 && geteuid() != 0)
		return 0;
	if (seteuid(0) == -1)
		return err_errno(err, ERR_FAULT, "dropping root");
	if (privsep_find_identity(PARSER_USER, &identity, &ignored) == -1)
		identity = (struct identity){ .uid = NOBODY, .gid = NOBODY };
	return privsep_become(&identity, err);
}

/* The question outlives the channel that it came by. */
static struct wire_examine
own_question(const struct wire_examine *m, struct buf *octets)
{
	struct wire_examine own = *m;

	buf_append_bytes(octets, m->octets);
	buf_append_bytes(octets, m->anchors);
	buf_append_bytes(octets, m->dkim_keys);
	own.octets = bytes_slice(buf_bytes(octets), 0, m->octets.len);
	own.anchors = bytes_slice(buf_bytes(octets), m->octets.len,
	    m->anchors.len);
	own.dkim_keys = bytes_slice(buf_bytes(octets),
	    m->octets.len + m->anchors.len, m->dkim_keys.len);
	return own;
}

__attribute__((noreturn)) static void
child(struct parser *parser, const struct wire_examine *question, int out)
{
	OWNED_BUF(octets, WIRE_MAX_EXAMINE);
	struct wire_examine m = own_question(question, &octets);
	OWNED_BUF(length, 4);
	OWNED_BUF(findings, EXAMINE_MAX_FINDINGS);
	struct err err = { 0 };

	log_open("csrmaild", "parser", LOG_LEVEL_WARN);
	forget_others(parser, out);
	if (octets.failed ||
	    (parser->role == NULL && drop_root(&err) == -1) ||
	    raise_higher_walls(octets.len, &err) == -1) {
		log_error("parser.child", STR("why", err.text),
		    STR("detail", err.detail));
		_exit(EX_OSERR);
	}
	misbehave(m.octets, out);
	if (examine(&m, &findings, &err) == -1) {
		log_error("parser.child", STR("why", err.text),
		    STR("detail", err.detail));
		_exit(EX_SOFTWARE);
	}
	put_u32(&length, (uint32_t)findings.len);
	if (write_all(out, buf_bytes(&length)) == -1 ||
	    write_all(out, buf_bytes(&findings)) == -1)
		_exit(EX_IOERR);
	_exit(0);
}

/* --- the parent ---------------------------------------------------------- */

static int
start_job(struct parser *parser, struct job *job, struct channel *peer,
    const struct wire_examine *m, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_errno(err, ERR_RETRY, "making a pipe");
	job->pid = fork();
	if (job->pid == 0)
		child(parser, m, ends[1]);
	close(ends[1]);
	if (job->pid == -1) {
		job->pid = 0;
		close(ends[0]);
		return err_errno(err, ERR_RETRY, "starting a parser");
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	job->fd = ends[0];
	job->peer = peer;
	job->id = m->id;
	job->kind = m->kind;
	job->until_ms = clock_monotonic_ms() + DEADLINE_MS;
	job->out = BUF(4 + WIRE_MAX_FINDINGS);
	return 0;
}

/* Did the child write one whole answer to this question? Broken findings end
 * whoever gets them; they must not be a mail's to send. */
static bool
job_has_answer(const struct job *job, struct bytes *findings)
{
	OWNED_STRUCT(findings) *found = NULL;
	struct cursor c = CURSOR(buf_bytes(&job->out));
	struct cursor answer;

	*findings = get_bytes(&c, WIRE_MAX_FINDINGS);
	if (job->out.failed || !cursor_end(&c))
		return false;
	answer = CURSOR(*findings);
	get_findings(&answer, &found);
	return found != NULL && cursor_end(&answer) &&
	    found->id == job->id && findings_answer(found, job->kind);
}

/* It has nothing more to say, whatever it may be doing. */
static int
stop_child(const struct job *job)
{
	int status = 0;

	kill(job->pid, SIGKILL);
	while (waitpid(job->pid, &status, 0) == -1 && errno == EINTR)
		continue;
	close(job->fd);
	return status;
}

static void
end_job(struct job *job, bool late, struct buf *answer)
{
	struct findings dead = { .id = job->id,
	    .status = FINDINGS_UNREADABLE };
	struct bytes findings = { 0 };
	int status = stop_child(job);

	if (!late && job_has_answer(job, &findings)) {
		buf_append_bytes(answer, findings);
	} else {
		log_warn("parser.died", NUM("id", job->id),
		    NUM("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		    NUM("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
		    NUM("octets", job->out.len), NUM("late", late));
		snprintf(dead.text, sizeof(dead.text), "the mail could not "
		    "be read: %s", late ? "reading it took too long" :
		    "the program that reads mails failed on it");
		put_findings(answer, &dead);
	}
	buf_wipe(&job->out);
	*job = (struct job){ 0 };
}

static int
finish_job(struct job *job, bool late, struct err *err)
{
	OWNED_BUF(answer, WIRE_MAX_FINDINGS);
	struct channel *peer = job->peer;

	end_job(job, late, &answer);
	if (peer == NULL)
		return 0;	/* nobody is left to hear it */
	return channel_send(peer, WIRE_FINDINGS, buf_bytes(&answer), -1, err);
}

static int
read_job(struct job *job, struct err *err)
{
	for (;;) {
		uint8_t octets[16384];
		ssize_t n = read(job->fd, octets, sizeof(octets));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n <= 0 || buf_append(&job->out, octets, (size_t)n) == -1)
			return finish_job(job, false, err);
	}
}

static struct job *
free_job(struct parser *parser)
{
	for (size_t i = 0; i < MAX_JOBS; i++)
		if (parser->jobs[i].pid == 0)
			return &parser->jobs[i];
	return NULL;
}

/* A peer that does not take its answers gets no new ones. */
static bool
may_serve(struct parser *parser, const struct channel *peer)
{
	return free_job(parser) != NULL &&
	    channel_queued(peer) <= WIRE_MAX_FINDINGS;
}

static int
serve_peer(struct parser *parser, struct channel *peer, struct err *err)
{
	struct frame frame;
	struct wire_examine m;

	while (may_serve(parser, peer)) {
		int r = channel_next(peer, &frame, err);

		if (r <= 0)
			return r;
		if (frame.fd >= 0)
			close(frame.fd);
		if (wire_get_examine(&frame, &m, err) == -1 ||
		    start_job(parser, free_job(parser), peer, &m, err) == -1)
			return -1;
	}
	return 0;
}

/* Its questions die with it. */
static void
drop_peer(struct parser *parser, size_t i, const struct err *why)
{
	struct channel *peer = parser->peers[i];

	log_info("parser.peer-gone", STR("peer", channel_peer(peer)),
	    STR("why", why->text));
	for (size_t j = 0; j < MAX_JOBS; j++) {
		if (parser->jobs[j].peer == peer)
			parser->jobs[j].peer = NULL;
	}
	channel_free(peer);
	parser->peers[i] = parser->peers[--parser->n_peers];
}

/* Milliseconds to the next deadline; -1 without one. */
static int
until_next_deadline(const struct parser *parser, int64_t now_ms)
{
	int64_t least = -1;

	for (size_t i = 0; i < MAX_JOBS; i++) {
		int64_t left = parser->jobs[i].until_ms - now_ms;

		if (parser->jobs[i].pid == 0)
			continue;
		if (left < 0)
			left = 0;
		if (least == -1 || left < least)
			least = left;
	}
	return (int)least;
}

static int
attend_jobs(struct parser *parser, const struct pollfd *polled,
    struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < MAX_JOBS; i++) {
		struct job *job = &parser->jobs[i];

		if (job->pid != 0 && polled[i].revents != 0 &&
		    read_job(job, err) == -1)
			return -1;
		if (job->pid != 0 && now_ms >= job->until_ms &&
		    finish_job(job, true, err) == -1)
			return -1;
	}
	return 0;
}

static int
attend_peer(struct parser *parser, struct channel *peer, short revents,
    struct err *err)
{
	if ((revents & POLLOUT) != 0 && channel_flush(peer, err) == -1)
		return -1;
	if ((revents & ~POLLOUT) != 0 && channel_read(peer, err) == -1)
		return -1;
	return serve_peer(parser, peer, err);
}

/* One round; false when it is time to go. */
static bool
attend(struct parser *parser)
{
	enum { SIGNAL, CONTROL, JOBS, PEERS = JOBS + MAX_JOBS };
	struct pollfd p[PEERS + MAX_PEERS] = {
		[SIGNAL] = { role_signal_fd(), POLLIN, 0 },
		[CONTROL] = { channel_fd(parser->role->control), POLLIN, 0 },
	};
	struct err err;
	size_t i;

	for (i = 0; i < MAX_JOBS; i++)
		p[JOBS + i] = (struct pollfd){ parser->jobs[i].pid != 0 ?
		    parser->jobs[i].fd : -1, POLLIN, 0 };
	for (i = 0; i < parser->n_peers; i++) {
		struct channel *peer = parser->peers[i];
		short events = channel_events(peer);

		if (!may_serve(parser, peer))
			events = (short)(events & ~POLLIN);
		p[PEERS + i] = (struct pollfd){ channel_fd(peer), events, 0 };
	}
	if (poll(p, PEERS + parser->n_peers,
	    until_next_deadline(parser, clock_monotonic_ms())) == -1 &&
	    errno != EINTR)
		return false;
	if (role_is_stopping() || p[CONTROL].revents != 0)
		return false;
	if (attend_jobs(parser, p + JOBS, &err) == -1) {
		log_error("parser.failed", STR("why", err.text));
		return false;
	}
	/* Downwards: a dropped peer's place is taken by the last one. */
	for (i = parser->n_peers; i-- > 0;)
		if (attend_peer(parser, parser->peers[i], p[PEERS + i].revents,
		    &err) == -1)
			drop_peer(parser, i, &err);
	return parser->n_peers > 0;
}

/*
 * The first CSR that OpenSSL reads loads configuration, providers and
 * algorithms. Done once, before the walls, and inherited by every child.
 */
static void
warm_up(void)
{
	OWNED(EVP_PKEY) *key = EVP_EC_gen("P-256");
	OWNED(X509_REQ) *req = X509_REQ_new();
	OWNED_STRUCT(csr) *csr = NULL;
	unsigned char *der = NULL;
	struct err err = { 0 };
	int n = -1;

	if (key != NULL && req != NULL && X509_REQ_set_version(req, 0) == 1 &&
	    X509_REQ_set_pubkey(req, key) == 1 &&
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	    MBSTRING_ASC, (const unsigned char *)"a.example", -1, -1, 0) == 1 &&
	    X509_REQ_sign(req, key, EVP_sha256()) > 0)
		n = i2d_X509_REQ(req, &der);
	if (n <= 0 || csr_read((struct bytes){ der, (size_t)n }, &csr,
	    &err) == -1)
		log_warn("parser.cold", STR("why", err.text));
	OPENSSL_free(der);
}

/* 1: the child has nothing more to say; 0: there may be more. */
static int
read_some(struct job *job)
{
	struct pollfd p = { job->fd, POLLIN, 0 };
	int64_t left = job->until_ms - clock_monotonic_ms();
	uint8_t octets[16384];
	ssize_t n;

	if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
		return 1;
	n = read(job->fd, octets, sizeof(octets));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : 1;
	return n == 0 ||
	    buf_append(&job->out, octets, (size_t)n) == -1 ? 1 : 0;
}

int
parser_examine(const struct wire_examine *m, struct buf *answer,
    struct err *err)
{
	struct parser parser = { .role = NULL };
	struct job *job = &parser.jobs[0];

	warm_up();
	if (start_job(&parser, job, NULL, m, err) == -1)
		return -1;
	while (read_some(job) == 0)
		continue;
	end_job(job, clock_monotonic_ms() >= job->until_ms, answer);
	return 0;
}

int
parser_main(struct role *role)
{
	static const struct sandbox box = { .allow = SANDBOX_FORK };
	struct parser parser = { .role = role };
	struct err err;

	while (role->n_descriptors > 0) {
		char name[sizeof(role->descriptors[0].name)];
		struct channel *peer;

		snprintf(name, sizeof(name), "%s", role->descriptors[0].name);
		peer = role_take_peer(role, name, WIRE_MAX_EXAMINE,
		    (MAX_JOBS + 2) * (WIRE_MAX_FINDINGS + 64));
		if (peer == NULL)
			return EX_OSERR;
		parser.peers[parser.n_peers++] = peer;
	}
	warm_up();
	if (role_ready(role, &box, &err) == -1) {
		log_error("role.failed", STR("why", err.text),
		    STR("detail", err.detail));
		return EX_OSERR;
	}
	while (attend(&parser))
		continue;
	for (size_t i = 0; i < MAX_JOBS; i++)
		if (parser.jobs[i].pid != 0) {
			stop_child(&parser.jobs[i]);
			buf_wipe(&parser.jobs[i].out);
		}
	while (parser.n_peers > 0)
		channel_free(parser.peers[--parser.n_peers]);
	return 0;
}
