/* read_text.c - lines of a file to a list of edges, by several threads.
 *
 * A thread claims the next block of the file, reads it and parses it into memory of its own. A line belongs to the
 * block that its first byte lies in. Of a plain file every thread reads its blocks itself. A stream (pipe, gzip) is
 * read by one thread at a time, which goes on doing so while there is an empty buffer: decompressing takes longer
 * than parsing, so it must not wait for anything. It hands the broken line at the end of a block to the next one.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "graph/edge_list.h"

enum {
    BLOCK = 1 << 20,
    OVERLAP = 1 << 12,         /* read behind a block of a plain file to see its last line end */
    FIRST_CHUNK = 1 << 13,     /* pairs */
    LAST_CHUNK = (1 << 20) - 8 /* with what the allocator puts before it, whole large pages */
};

/* The line that stopped the reading. */
typedef struct complaint {
    bool there;
    int64_t block, line, column; /* line inside the block */
    char text[sizeof((ga__parse *)0)->bad];
} complaint;

typedef struct reader {
    ga_context *context;
    const ga__line_input *from;
    const ga__line_rules *rules;
    const char *name;
    int64_t block_size, max_edges;
    bool plain;
    int fd;
    int64_t size;
    unsigned char *buffers; /* plain: one for each worker */
    int64_t stride;
    unsigned char *carry; /* of the thread that reads the stream */
    int64_t carry_size;
    pthread_mutex_t lock; /* guards all below */
    int64_t next_block;
    bool ended;
    pthread_cond_t changed; /* of streams: */
    bool reading;
    ga_status stream_status; /* why it ended; lines before may be wrong too */
    struct text_block *full; /* waiting to be parsed: a ring of buffer_count */
    int64_t buffer_count, full_at, full_count;
    int *empty; /* numbers of empty buffers */
    int empty_count;
    ga__edge_list *list;
    complaint bad;
    int status;
} reader;

typedef struct text_block {
    int64_t number;
    const unsigned char *begin, *end;
    int buffer;
} text_block;

/* ---- getting a block ---- */

static ga_status read_at(reader *r, unsigned char *buffer, int64_t offset, int64_t size)
{
    while (size > 0) {
        ssize_t got = pread(r->fd, buffer, (size_t)size, (off_t)offset);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (got < 0) {
            return ga__fail(r->context, GA_IO, "%s: byte %lld: %s", r->name, (long long)offset,
                            strerror(errno));
        }
        if (got == 0) {
            return ga__fail(r->context, GA_IO, "%s: ends at byte %lld of %lld, it shrank while it was read",
                            r->name, (long long)offset, (long long)r->size);
        }
        buffer += got;
        offset += got;
        size -= got;
    }
    return GA_OK;
}

/* Lines whose first byte lies in the block. The byte before the block tells whether a line starts with it. */
static ga_status fill_plain(reader *r, unsigned char *buffer, text_block *block)
{
    int64_t first = r->from->start + block->number * r->block_size, begin = block->number ? first - 1 : first;
    int64_t stop = ga__min(r->size, first + r->block_size), have = ga__min(r->size, stop + OVERLAP) - begin;
    ga_status status = GA_OK;
    GA_TRY(read_at(r, buffer, begin, have));
    block->begin = block->end = buffer;
    if (block->number) {
        block->begin = ga__line_after(buffer, buffer + have, begin + have == r->size);
        if (!block->begin || block->begin >= buffer + (stop - begin)) {
            block->begin = block->end; /* inside a long line of an earlier block */
            goto done;
        }
    }
    if (stop == r->size) {
        block->end = buffer + have;
        goto done;
    }
    const unsigned char *tail = buffer + (stop - 1 - begin), *end;
    while (!(end = ga__line_after(tail, buffer + have, begin + have == r->size)) && begin + have < r->size &&
           buffer + have - tail <= GA__LINE_LIMIT + 2) {
        int64_t more = ga__min(r->size - begin - have, OVERLAP);
        GA_TRY(read_at(r, buffer + have, begin + have, more));
        have += more;
    }
    block->end = end ? end : buffer + have;
done:
    return status;
}

/* Behind the last line end in the buffer; 0 if there is none for certain. */
static int64_t last_cut(const unsigned char *buffer, int64_t have)
{
    int64_t cut = have;
    if (cut > 0 && buffer[cut - 1] == '\r') {
        cut--; /* its newline may be to come */
    }
    while (cut > 0 && buffer[cut - 1] != '\n' && buffer[cut - 1] != '\r') {
        cut--;
    }
    return cut;
}

static ga_status fill_stream(reader *r, unsigned char *buffer, text_block *block, bool *ended)
{
    ga_status status = GA_OK;
    int64_t have = r->carry_size, got = 0, cut = 0;
    memcpy(buffer, r->carry, (size_t)have);
    r->carry_size = 0;
    do {
        GA_TRY(ga__input_read(r->context, r->from->input, buffer + have, r->block_size, &got));
        have += got;
        r->list->bytes += got;
        *ended = got < r->block_size;
        cut = *ended ? have : last_cut(buffer, have);
    } while (cut == 0 && !*ended && have <= GA__LINE_LIMIT);
    if (have - cut > GA__LINE_LIMIT + 1) { /* one more: its "\r" may be there already */
        cut = have;                        /* a line that is too long: let the parser say so */
        *ended = true;
    }
    r->carry_size = have - cut;
    memcpy(r->carry, buffer + cut, (size_t)r->carry_size);
    block->begin = buffer;
    block->end = buffer + cut;
done:
    return status;
}

/* The next block of the stream, which is this thread's alone while it reads; the lock is held but for that. */
static void read_ahead(reader *r)
{
    text_block block = { .number = r->next_block++, .buffer = r->empty[--r->empty_count] };
    bool ended = false;
    r->reading = true;
    pthread_mutex_unlock(&r->lock);
    ga_status status = fill_stream(r, r->buffers + block.buffer * r->stride, &block, &ended);
    pthread_mutex_lock(&r->lock);
    r->reading = false;
    r->ended = ended || status != GA_OK;
    if (status == GA_OK) {
        r->full[(r->full_at + r->full_count++) % r->buffer_count] = block;
    } else if (status == GA_CANCELLED) {
        ga__note_status(&r->status, status);
    } else {
        r->stream_status = status;
    }
    if (r->ended) {
        pthread_cond_broadcast(&r->changed);
    } else {
        pthread_cond_signal(&r->changed);
    }
}

/* Reading goes before parsing. Nobody waits but for a thread that reads. */
static void next_of_stream(reader *r, text_block *block)
{
    pthread_mutex_lock(&r->lock);
    while (!r->bad.there && ga__noted_status(&r->status) == GA_OK) {
        if (!r->reading && !r->ended && r->empty_count > 0) {
            read_ahead(r);
        } else if (r->full_count > 0) {
            *block = r->full[r->full_at];
            r->full_at = (r->full_at + 1) % r->buffer_count;
            r->full_count--;
            break;
        } else if (r->ended) {
            break;
        } else {
            pthread_cond_wait(&r->changed, &r->lock);
        }
    }
    if (!block->begin) { /* others have nothing to wait for either */
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
}

static void give_buffer_back(reader *r, const text_block *block)
{
    pthread_mutex_lock(&r->lock);
    r->empty[r->empty_count++] = block->buffer;
    pthread_mutex_unlock(&r->lock);
}

static ga_status next_of_file(reader *r, int worker, text_block *block)
{
    pthread_mutex_lock(&r->lock);
    bool stop = r->ended || r->bad.there;
    if (!stop) {
        block->number = r->next_block++;
        r->ended = r->from->start + r->next_block * r->block_size >= r->size;
    }
    pthread_mutex_unlock(&r->lock);
    return stop ? GA_OK : fill_plain(r, r->buffers + worker * r->stride, block);
}

/* Claims a block; block->begin is NULL when there are no more. */
static ga_status next_block(reader *r, int worker, text_block *block)
{
    static const unsigned char mark[3] = { 0xef, 0xbb, 0xbf };
    ga_status status = GA_OK;
    if (r->plain) {
        status = next_of_file(r, worker, block);
    } else {
        next_of_stream(r, block);
    }
    if (status == GA_OK && block->begin && block->number == 0 && r->from->first_line == 1 &&
        block->end - block->begin >= 3 && memcmp(block->begin, mark, 3) == 0) {
        block->begin += 3; /* byte order mark */
    }
    return status;
}

/* ---- parsing it ---- */

static ga_status new_chunk(reader *r, bool wide, int64_t *chunk)
{
    ga_status status = GA_OK;
    ga__edge_list *list = r->list;
    ga__chunk made = { .wide = wide, .room = FIRST_CHUNK };
    pthread_mutex_lock(&r->lock);
    while (made.room < list->edges / 4 && made.room < LAST_CHUNK) {
        made.room *= 2;
    }
    if (r->plain && r->size > 64 * FIRST_CHUNK) {
        made.room = LAST_CHUNK;
    }
    if (list->chunk_count == list->chunk_room) {
        int64_t room = list->chunk_room ? 2 * list->chunk_room : 16;
        GA_TRY(ga__resize(r->context, list->chunk_room, room, sizeof *list->chunks, &list->chunks));
        list->chunk_room = room;
    }
    GA_TRY(ga_alloc(r->context, made.room, wide ? 16 : sizeof(ga__pair), &made.pairs));
    if (r->rules->weights && (status = GA_NEW(r->context, made.room, &made.weights)) != GA_OK) {
        ga_free(r->context, made.pairs);
        goto done;
    }
    ga__advise_large(made.pairs, made.room * (wide ? 16 : 8));
    *chunk = list->chunk_count;
    list->chunks[list->chunk_count++] = made;
done:
    pthread_mutex_unlock(&r->lock);
    return status;
}

static ga_status add_segment(reader *r, const ga__segment *segment)
{
    ga_status status = GA_OK;
    ga__edge_list *list = r->list;
    pthread_mutex_lock(&r->lock);
    if (list->segment_count == list->segment_room) {
        int64_t room = list->segment_room ? 2 * list->segment_room : 64;
        GA_TRY(ga__resize(r->context, list->segment_room, room, sizeof *list->segments, &list->segments));
        list->segment_room = room;
    }
    list->segments[list->segment_count++] = *segment;
    list->chunks[segment->chunk].used += segment->count;
    list->edges += segment->count;
    if (r->max_edges > 0 && list->edges > r->max_edges) {
        status = ga__fail(r->context, GA_LIMIT, "%s: more than %lld edge lines (--max-edges)", r->name,
                          (long long)r->max_edges);
    }
done:
    pthread_mutex_unlock(&r->lock);
    return status;
}

static void complain(reader *r, int64_t block, int64_t line, const ga__parse *p)
{
    pthread_mutex_lock(&r->lock);
    if (!r->bad.there || block < r->bad.block) {
        r->bad.there = true;
        r->bad.block = block;
        r->bad.line = line;
        r->bad.column = p->bad_column;
        memcpy(r->bad.text, p->bad, sizeof r->bad.text);
    }
    pthread_mutex_unlock(&r->lock);
}

/* A worker's chunk: its own copy, since the list of chunks may move. */
typedef struct writer {
    int64_t chunk;
    ga__chunk at;
    bool wide;
} writer;

static ga_status make_room(reader *r, writer *w)
{
    ga_status status = GA_OK;
    if (w->chunk >= 0 && w->at.wide == w->wide && w->at.room - w->at.used >= GA__LINE_SLACK) {
        goto done;
    }
    GA_TRY(new_chunk(r, w->wide, &w->chunk));
    pthread_mutex_lock(&r->lock);
    w->at = r->list->chunks[w->chunk];
    pthread_mutex_unlock(&r->lock);
done:
    return status;
}

static void point(ga__parse *p, const writer *w)
{
    p->narrow = w->wide ? NULL : (ga__pair *)w->at.pairs + w->at.used;
    p->wide = w->wide ? (uint64_t *)w->at.pairs + 2 * w->at.used : NULL;
    p->weights = w->at.weights ? w->at.weights + w->at.used : NULL;
    p->room = w->at.room - w->at.used;
    p->count = 0;
    p->sorted = true;
    p->distinct = true;
    p->previous = 0;
    p->largest = 0;
    p->other_lines = 0;
}

static ga_status parse_block(reader *r, writer *w, const text_block *block)
{
    ga_status status = GA_OK;
    ga__parse p = { .rules = r->rules, .next = block->begin, .end = block->end, .declared = -1 };
    ga__parsed parsed;
    int64_t lines = 0;
    for (int64_t part = 0;; part++) {
        GA_TRY(make_room(r, w));
        point(&p, w);
        parsed = ga__parse_lines(&p);
        ga__segment segment = { .block = block->number,
                                .part = part,
                                .chunk = w->chunk,
                                .narrow = p.narrow,
                                .wide = p.wide,
                                .weights = p.weights,
                                .count = p.count,
                                .largest = p.largest,
                                .sorted = p.sorted,
                                .distinct = p.distinct,
                                .lines = p.count + p.other_lines,
                                .declared = p.declared };
        lines += segment.lines;
        w->at.used += p.count;
        GA_TRY(add_segment(r, &segment));
        if (parsed == GA__PARSED_ALL) {
            break;
        }
        if (parsed == GA__PARSED_BAD) {
            complain(r, block->number, lines + 1, &p);
            break;
        }
        if (parsed == GA__PARSED_WIDE) {
            w->wide = true;
        } else {
            w->at.used = w->at.room; /* full: the next part starts a new chunk */
        }
    }
done:
    return status;
}

static void read_worker(void *user, int worker)
{
    reader *r = user;
    writer w = { .chunk = -1 };
    ga_status status = GA_OK;
    while (!ga__stopped(r->context, &r->status)) {
        text_block block = { 0 };
        GA_TRY(next_block(r, worker, &block));
        if (!block.begin) {
            break;
        }
        memset((void *)(uintptr_t)block.end, 0, GA__LINE_SLACK);
        GA_TRY(parse_block(r, &w, &block));
        if (!r->plain) {
            give_buffer_back(r, &block);
        }
        ga__progress(r->context, "reading", (block.number + 1) * r->block_size, r->plain ? r->size : 0);
    }
done:
    ga__note_status(&r->status, status);
}

/* ---- putting it together ---- */

/* Segments came in nearly the order of the file. */
static void sort_segments(ga__edge_list *list)
{
    for (int64_t i = 1; i < list->segment_count; i++) {
        ga__segment s = list->segments[i];
        int64_t j = i;
        for (; j > 0; j--) {
            const ga__segment *before = &list->segments[j - 1];
            if (before->block < s.block || (before->block == s.block && before->part < s.part)) {
                break;
            }
            list->segments[j] = *before;
        }
        list->segments[j] = s;
    }
}

static void sum_up(ga__edge_list *list)
{
    bool before_edges = true;
    list->declared = -1;
    for (int64_t i = 0; i < list->segment_count; i++) {
        const ga__segment *s = &list->segments[i];
        if (before_edges && list->declared < 0) {
            list->declared = s->declared;
        }
        before_edges = before_edges && s->count == 0;
        list->lines += s->lines;
        list->largest = s->largest > list->largest ? s->largest : list->largest;
        list->wide = list->wide || (s->wide && s->count > 0);
    }
}

static ga_status fail_line(const reader *r)
{
    int64_t line = r->from->first_line - 1 + r->bad.line;
    ga__begin(r->context); /* the stream may have failed later on */
    for (int64_t i = 0; i < r->list->segment_count; i++) {
        line += r->list->segments[i].block < r->bad.block ? r->list->segments[i].lines : 0;
    }
    if (r->bad.column == 0) {
        return ga__fail(r->context, GA_FORMAT, "%s:%lld: %s", r->name, (long long)line, r->bad.text);
    }
    return ga__fail(r->context, GA_FORMAT, "%s:%lld: column %lld: %s", r->name, (long long)line,
                    (long long)r->bad.column, r->bad.text);
}

/* Of a plain file every worker reads its own blocks. */
static void open_file(reader *r, int *threads)
{
    int64_t rest = r->size - r->from->start;
    r->block_size = ga__max(1, ga__min(r->block_size, rest));
    r->ended = rest <= 0;
    *threads = ga__threads_for(r->context, (rest + r->block_size - 1) / r->block_size);
    r->buffer_count = *threads;
    r->list->bytes = r->size;
}

/* Reads the first block at once: a short stream needs no other threads. */
static ga_status open_stream(reader *r, int *threads)
{
    enum { SPARE = 4 };
    ga_status status = GA_OK;
    *threads = ga__threads(r->context);
    r->buffer_count = *threads > 1 ? *threads + SPARE : 1;
    GA_TRY(GA_NEW(r->context, r->buffer_count, &r->full));
    GA_TRY(GA_NEW(r->context, r->buffer_count, &r->empty));
    for (; r->empty_count < r->buffer_count; r->empty_count++) {
        r->empty[r->empty_count] = r->empty_count;
    }
    GA_TRY(ga_alloc(r->context, GA__LINE_LIMIT + 1 + r->block_size, 1, &r->carry));
    if (r->from->head_size > 0) {
        memcpy(r->carry, r->from->head, (size_t)r->from->head_size);
        r->carry_size = r->from->head_size;
    }
    r->list->bytes = r->from->start + r->from->head_size;
    ga__input_alone(r->from->input);
done:
    return status;
}

static ga_status read_all(reader *r, int threads)
{
    ga_status status = GA_OK;
    r->stride = (r->block_size + GA__LINE_LIMIT + 2 * OVERLAP + GA__LINE_SLACK + 63) / 64 * 64;
    GA_TRY(ga_alloc(r->context, r->buffer_count * r->stride, 1, &r->buffers));
    if (!r->plain) {
        pthread_mutex_lock(&r->lock);
        read_ahead(r);
        threads = r->ended ? 1 : threads;
        pthread_mutex_unlock(&r->lock);
    }
    ga__workers(r->context, threads, read_worker, r);
    GA_TRY(ga__noted_status(&r->status));
    sort_segments(r->list);
    if (r->bad.there) {
        GA_TRY(fail_line(r));
    }
    GA_TRY(r->stream_status);
    sum_up(r->list);
done:
    return status;
}

ga_status ga__edge_list_read(ga_context *context, const ga__line_input *from, const ga__line_rules *rules,
                             int64_t max_edges, int64_t block_size, ga__edge_list *list)
{
    ga_status status = GA_OK;
    ga__edge_list made = { .declared = -1 };
    reader r = { .context = context,
                 .from = from,
                 .rules = rules,
                 .name = ga__input_name(from->input),
                 .block_size = block_size > 0 ? block_size : BLOCK,
                 .max_edges = max_edges,
                 .list = &made };
    int threads = 1;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.changed, NULL);
    r.plain = ga__input_plain(from->input, &r.fd, &r.size) && !from->head;
    if (r.plain) {
        open_file(&r, &threads);
    } else {
        GA_TRY(open_stream(&r, &threads));
    }
    GA_TRY(read_all(&r, threads));
    *list = made;
done:
    if (status != GA_OK) {
        ga__edge_list_clear(context, &made);
    }
    ga_free(context, r.buffers);
    ga_free(context, r.carry);
    ga_free(context, r.full);
    ga_free(context, r.empty);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    return status;
}
