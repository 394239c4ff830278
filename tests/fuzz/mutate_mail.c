/*
 * Mails with octets changed, through the parser's role as the daemon runs it:
 * its own process, walls, and a child for each mail.
 *
 *	mutate_mail [-n COUNT] [-s SEED] FOLDER
 *
 * FOLDER is tests/data/mail: its *.eml are the originals, beside those that
 * are known to break libetpan 1.9.4, which are made here. requests.txt has the
 * SHA-256 of each request in them: none but these may be found good, and the
 * child looks at the signature, so a changed request never is.
 *
 * Fails when the role ends, an answer is missing or broken, another request
 * is found good, or the parent's memory grows. Prints how many were answered
 * how, and the slowest.
 */
#include "csrmaild/parser.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/role.h"
#include "csrmaild/wire.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_MAILS	1024
#define MAX_REQUESTS	1024
#define MAX_OCTETS	(2u << 20)
#define N_PEERS		2	/* so many are being read at once */
#define WARM_UP		400	/* until the parent has seen the largest */
#define MAX_GROWTH_KIB	4096

/* AddressSanitizer does not give memory back. */
#ifdef __has_feature
#define KEEPS_FREED	__has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED	1
#else
#define KEEPS_FREED	0
#endif

static struct buf mails[MAX_MAILS];
static size_t n_mails, n_files;
static uint8_t requests[MAX_REQUESTS][32];
static size_t n_requests;
static uint64_t state = 0x9e3779b97f4a7c15;

static struct peer {
	struct channel	*channel;
	struct buf	 octets;	/* what it was asked about */
	uint64_t	 id;		/* 0: nothing */
	int64_t		 since_ms;
} peers[N_PEERS];

static struct {
	size_t		 answered, good;
	size_t		 by_status[FINDINGS_UNREADABLE + 1];
	int64_t		 slowest_ms;
} tally;

static size_t
draw(size_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below == 0 ? 0 : (size_t)((state >> 11) % below);
}

/* --- originals ----------------------------------------------------------- */

static struct buf *
new_mail(void)
{
	if (n_mails == MAX_MAILS)
		errx(1, "more than %d mails", MAX_MAILS);
	mails[n_mails] = BUF(MAX_OCTETS);
	return &mails[n_mails++];
}

static void
read_file(const char *folder, const char *name, struct buf *out)
{
	char path[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL)
		err(1, "%s", path);
	while (buf_reserve(out, 4096) != NULL &&
	    (n = fread(out->data + out->len, 1, 4096, f)) > 0)
		out->len += n;
	fclose(f);
}

static int
is_mail(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 4 && strcmp(e->d_name + n - 4, ".eml") == 0;
}

static void
repeat(struct buf *b, const char *text, size_t n)
{
	while (n-- > 0)
		buf_append_str(b, text);
}

/* What makes libetpan write out of bounds, overflow its stack, or take
 * seconds; crash-boundary.eml is another. */
static void
make_hostile(void)
{
	struct buf *b = new_mail();

	buf_append_str(b, "Content-Type: text/plain ");
	repeat(b, "(", 120000);
	b = new_mail();
	buf_append_str(b, "From: ");
	repeat(b, "(", 1000000);
	b = new_mail();
	repeat(b, "Content-Type: message/rfc822\r\n\r\n", 30000);
	b = new_mail();
	for (int i = 0; i < 10000; i++)
		buf_printf(b, "Content-Type: multipart/mixed; boundary=%d-"
		    "\r\n\r\n--%d-\r\n", i, i);
	b = new_mail();
	repeat(b, "A: b\r\n", 100000);
}

static void
read_originals(const char *folder)
{
	OWNED_BUF(list, MAX_REQUESTS * 65);
	struct dirent **names;
	int n = scandir(folder, &names, is_mail, alphasort);

	if (n <= 0)
		err(1, "%s", folder);
	for (int i = 0; i < n; i++) {
		read_file(folder, names[i]->d_name, new_mail());
		free(names[i]);
	}
	free(names);
	n_files = n_mails;
	make_hostile();
	read_file(folder, "requests.txt", &list);
	for (char *line = strtok((char *)list.data, "\n"); line != NULL;
	    line = strtok(NULL, "\n"))
		if (n_requests == MAX_REQUESTS ||
		    hex_decode(line, requests[n_requests++], 32) != 32)
			errx(1, "requests.txt is not as it should be");
}

/* --- mutations ----------------------------------------------------------- */

static const char *const pieces[] = { "\r", "\n", "\r\n", " ", "\t", "-",
	"--", "=", "\"", "(", ")", "<", ">", ";", ":", "\\", "\x80", "\xff",
	"\x01", "\r\n\r\n", "Content-Type: text/plain\r\n",
	"Content-Type: multipart/mixed; boundary=b\r\n",
	"Content-Transfer-Encoding: base64\r\n", "> ", "=?utf-8?q?",
	"-----BEGIN CERTIFICATE REQUEST-----\r\n",
	"-----END CERTIFICATE REQUEST-----\r\n" };
#define N_PIECES	(sizeof(pieces) / sizeof(pieces[0]))

static void
put_in(struct buf *b, size_t at, struct bytes piece)
{
	size_t tail = b->len - at;

	if (piece.len == 0 || buf_reserve(b, piece.len) == NULL)
		return;
	memmove(b->data + at + piece.len, b->data + at, tail);
	memcpy(b->data + at, piece.data, piece.len);
	b->len += piece.len;
}

static void
cut_out(struct buf *b, size_t at, size_t n)
{
	if (n > b->len - at)
		n = b->len - at;
	memmove(b->data + at, b->data + at + n, b->len - at - n);
	b->len -= n;
}

static void
mutate_once(struct buf *b)
{
	static const size_t lengths[] = { 1, 1, 2, 5, 40, 300 };
	size_t at = draw(b->len + 1), n = lengths[draw(6)];
	const struct buf *other = &mails[draw(n_files)];
	OWNED_BUF(copy, MAX_OCTETS);

	switch (draw(6)) {
	case 0:
		if (at < b->len)
			b->data[at] = (uint8_t)draw(256);
		break;
	case 1:
		if (at < b->len)
			b->data[at] ^= (uint8_t)(1u << draw(8));
		break;
	case 2:
		cut_out(b, at, n);
		break;
	case 3:
		buf_append_bytes(&copy, bytes_slice(buf_bytes(b), at, n));
		put_in(b, at, buf_bytes(&copy));
		break;
	case 4:
		put_in(b, at, bytes_of(pieces[draw(N_PIECES)]));
		break;
	case 5:
		put_in(b, at, bytes_slice(buf_bytes(other), draw(other->len),
		    n));
		break;
	}
}

/* The originals come first, as they are. */
static void
make_mail(size_t number, struct buf *out)
{
	/* The large ones seldom: they are refused at the front. */
	size_t i = draw(200) == 0 ? draw(n_mails) : draw(n_files);

	buf_clear(out);
	if (number < n_mails) {
		buf_append_bytes(out, buf_bytes(&mails[number]));
		return;
	}
	buf_append_bytes(out, buf_bytes(&mails[i]));
	for (size_t k = 1 + draw(8); k > 0; k--)
		mutate_once(out);
}

/* --- the role ------------------------------------------------------------ */

static pid_t
start_role(struct channel **control)
{
	int ends[1 + N_PEERS][2];
	pid_t pid;

	for (int i = 0; i < 1 + N_PEERS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) == -1)
			err(1, "socketpair");
	pid = fork();
	if (pid == 0) {
		struct role role = { .program = "csrmaild", .name = "parser",
		    .control = channel_new(ends[0][1], "main", 65536, 65536),
		    .n_descriptors = N_PEERS };

		close(ends[0][0]);
		for (int i = 0; i < N_PEERS; i++) {
			close(ends[1 + i][0]);
			snprintf(role.descriptors[i].name,
			    sizeof(role.descriptors[i].name), "intake:%d", i);
			role.descriptors[i].fd = ends[1 + i][1];
		}
		for (size_t i = 0; i < n_mails; i++)
			buf_free(&mails[i]);
		_exit(parser_main(&role));
	}
	close(ends[0][1]);
	*control = channel_new(ends[0][0], "parser", 65536, 65536);
	for (int i = 0; i < N_PEERS; i++) {
		close(ends[1 + i][1]);
		peers[i].channel = channel_new(ends[1 + i][0], "parser",
		    WIRE_MAX_FINDINGS, 8u << 20);
		peers[i].octets = BUF(MAX_OCTETS);
	}
	return pid;
}

static long
memory_kib(pid_t pid)
{
	char path[64], line[128];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

/* What is wrong stays, to be looked at. */
__attribute__((noreturn)) static void
fail(const struct peer *peer, const char *why)
{
	FILE *f = fopen("mutated.eml", "wb");

	if (f != NULL) {
		fwrite(peer->octets.data, 1, peer->octets.len, f);
		fclose(f);
	}
	errx(1, "mail %llu, in ./mutated.eml: %s",
	    (unsigned long long)peer->id, why);
}

static void
ask(struct peer *peer, size_t number)
{
	struct wire_examine m = { .id = number + 1, .kind = EXAMINE_MAIL,
	    .max_depth = 10, .max_parts = 100, .max_header_octets = 65536 };
	struct err why;

	make_mail(number, &peer->octets);
	m.octets = buf_bytes(&peer->octets);
	peer->id = m.id;
	peer->since_ms = clock_monotonic_ms();
	if (wire_send_examine(peer->channel, &m, &why) == -1)
		fail(peer, why.text);
}

static bool
is_known(const struct candidate *c)
{
	for (size_t i = 0; i < n_requests; i++)
		if (memcmp(requests[i], c->digest, 32) == 0)
			return true;
	return false;
}

static void
take_answer(struct peer *peer, const struct frame *frame)
{
	OWNED_STRUCT(findings) *f = NULL;
	struct cursor c = CURSOR(frame->payload);
	int64_t took = clock_monotonic_ms() - peer->since_ms;

	get_findings(&c, &f);
	if (frame->type != WIRE_FINDINGS || f == NULL || !cursor_end(&c))
		fail(peer, "a broken answer");
	if (f->id != peer->id)
		fail(peer, "an answer to another question");
	for (size_t i = 0; i < f->n_candidates; i++) {
		if (!f->candidates[i].good)
			continue;
		tally.good++;
		if (!is_known(&f->candidates[i]))
			fail(peer, "a request is good that nobody made");
	}
	tally.answered++;
	tally.by_status[f->status]++;
	if (took > tally.slowest_ms)
		tally.slowest_ms = took;
	peer->id = 0;
}

/* One round; what is asked next is counted in *asked. */
static void
attend(size_t n, size_t *asked)
{
	struct pollfd p[N_PEERS];
	struct frame frame;
	struct err why;

	for (int i = 0; i < N_PEERS; i++) {
		if (peers[i].id == 0 && *asked < n)
			ask(&peers[i], (*asked)++);
		p[i] = (struct pollfd){ channel_fd(peers[i].channel),
		    channel_events(peers[i].channel), 0 };
	}
	/* The role gives each of them 5 seconds. */
	if (poll(p, N_PEERS, 60000) <= 0)
		fail(&peers[0], "no answer");
	for (int i = 0; i < N_PEERS; i++) {
		if (((p[i].revents & POLLOUT) != 0 &&
		    channel_flush(peers[i].channel, &why) == -1) ||
		    ((p[i].revents & ~POLLOUT) != 0 &&
		    channel_read(peers[i].channel, &why) == -1))
			fail(&peers[i], "the role ended");
		if (channel_next(peers[i].channel, &frame, &why) == 1)
			take_answer(&peers[i], &frame);
	}
}

static void
check_memory(long before, long after)
{
	printf("memory of the parent: %ld KiB after %d, %ld KiB at the end\n",
	    before, WARM_UP, after);
	if (!KEEPS_FREED && after > before + MAX_GROWTH_KIB)
		errx(1, "the parent grows");
}

int
main(int argc, char **argv)
{
	struct channel *control = NULL;
	size_t n = 1000, asked = 0;
	long before = 0;
	int status, option;
	pid_t pid;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (option == 's')
			state ^= strtoull(optarg, NULL, 10);
		else
			return 64;
	}
	if (optind + 1 != argc)
		errx(64, "mutate_mail [-n COUNT] [-s SEED] FOLDER");
	read_originals(argv[optind]);
	pid = start_role(&control);
	while (tally.answered < n) {
		attend(n, &asked);
		if (before == 0 && tally.answered >= WARM_UP)
			before = memory_kib(pid);
	}
	check_memory(before, memory_kib(pid));
	printf("%zu mails: %zu read, %zu refused, %zu unreadable; %zu good "
	    "requests; slowest %lld ms\n", tally.answered,
	    tally.by_status[FINDINGS_OK], tally.by_status[FINDINGS_REFUSED],
	    tally.by_status[FINDINGS_UNREADABLE], tally.good,
	    (long long)tally.slowest_ms);
	for (int i = 0; i < N_PEERS; i++)
		channel_free(peers[i].channel);
	channel_free(control);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(1, "the role did not end as it should");
	return 0;
}
