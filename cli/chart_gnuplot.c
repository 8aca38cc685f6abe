/* chart_gnuplot.c - panels as PNG and PDF, drawn by gnuplot. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/chart.h"

extern char **environ;

/* ---- a script for gnuplot ---- */

static void script_data(FILE *script, const chart_panel *p, int panel)
{
    for (int c = 0; c < p->curve_count; c++) {
        const chart_curve *curve = &p->curves[c];
        fprintf(script, "$curve_%d_%d << END\n", panel, c);
        for (int64_t i = 0; i < curve->count; i++) {
            if (isfinite(curve->x[i]) && isfinite(curve->y[i])) {
                fprintf(script, "%.17g %.17g\n", curve->x[i], curve->y[i]);
            }
        }
        fprintf(script, "END\n");
    }
    if (p->box_count > 0) {
        fprintf(script, "$boxes_%d << END\n", panel);
        for (int64_t i = 0; i < p->box_count; i++) {
            const chart_box *b = &p->boxes[i];
            fprintf(script, "%.17g %.17g %.17g %.17g %.17g %.17g %u\n", b->x0, b->y0, b->x0, b->x1, b->y0,
                    b->y1, chart_colour(b->depth));
        }
        fprintf(script, "END\n");
    }
}

static void script_plot(FILE *script, const chart_panel *p, int panel)
{
    const char *join = "plot ";
    if (p->box_count > 0) {
        fprintf(script,
                "%s$boxes_%d using 1:2:3:4:5:6:7 with boxxyerror fs solid noborder lc rgb variable notitle",
                join, panel);
        join = ", ";
    }
    for (int c = 0; c < p->curve_count; c++) {
        const chart_curve *curve = &p->curves[c];
        fprintf(script, "%s$curve_%d_%d with %s lw 1.6 lc rgb '%s' %s%s%s", join, panel, c,
                curve->steps ? "steps" : "lines", curve->colour, curve->name ? "title '" : "notitle",
                curve->name ? curve->name : "", curve->name ? "'" : "");
        join = ", ";
    }
    fprintf(script, "\n");
}

static void script_panel(FILE *script, const chart_panel *p, int panel)
{
    chart_range r;
    if (!chart_find_range(p, &r)) {
        fprintf(
            script,
            "unset logscale\nset title '%s: nothing to draw' noenhanced\nset xrange [0:1]\nset yrange [0:1]\n"
            "plot NaN notitle\n",
            p->title);
        return;
    }
    script_data(script, p, panel);
    fprintf(
        script,
        "unset logscale\nunset arrow\nset format '%%g'\nset title '%s' noenhanced\nset xlabel '%s'\nset ylabel '%s'\n",
        p->title, p->x_label, p->y_label ? p->y_label : "");
    fprintf(script, "set xrange [%.17g:%.17g]\nset yrange [%.17g:%.17g]\nset key %s right noenhanced\n",
            r.x_low, r.x_high > r.x_low ? r.x_high : r.x_low + 1, r.y_low, r.y_high,
            p->key_below ? "bottom" : "top");
    if (p->log_x) {
        fprintf(script, "set logscale x\nset format x '10^{%%L}'\n");
    }
    if (p->log_y) {
        fprintf(script, "set logscale y\nset format y '10^{%%L}'\n");
    }
    if (!isnan(p->mark)) {
        fprintf(script, "set arrow from %.17g, graph 0 to %.17g, graph 1 nohead dt 2 lc rgb '#888888'\n",
                p->mark, p->mark);
    }
    script_plot(script, p, panel);
}

static ga_status write_script(ga_context *context, FILE *script, const char *terminal,
                              const chart_panel *panels, int count, int columns)
{
    bool bitmap = strcmp(terminal, "pngcairo") == 0;
    int rows = (count + columns - 1) / columns;
    rows = rows > 0 ? rows : 1;
    fprintf(script, "set encoding utf8\nset terminal %s font 'sans,9' size %d%s,%d%s\n", terminal,
            columns * (bitmap ? 430 : 5), bitmap ? "" : "in", rows * (bitmap ? 352 : 4), bitmap ? "" : "in");
    fprintf(script,
            "set multiplot layout %d,%d\nset grid y lc rgb '#dddddd'\nset border 3\nset tics nomirror\n",
            rows, columns);
    for (int i = 0; i < count; i++) {
        script_panel(script, &panels[i], i);
    }
    fprintf(script, "unset multiplot\n");
    return ferror(script) ? ga__fail(context, GA_IO, "gnuplot: cannot write to it: %s", strerror(errno))
                          : GA_OK;
}

/* ---- running it ---- */

/* gnuplot reads the script from a file without a name and writes the picture into a pipe; *picture: our end. */
static ga_status start(session *s, FILE *script, pid_t *pid, int *picture)
{
    char program[] = "gnuplot", from_input[] = "-", *words[] = { program, from_input, NULL };
    int ends[2], bad;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return complain(s, GA_IO, "gnuplot: no pipe to it: %s", strerror(errno));
    }
    bad = posix_spawn_file_actions_init(&actions);
    if (!bad) {
        bad = posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
        bad = bad ? bad : posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        bad = bad ? bad : posix_spawnp(pid, words[0], &actions, NULL, words, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (bad) {
        close(ends[0]);
        return complain(s, GA_UNSUPPORTED, "pictures as PNG and PDF are drawn by the program gnuplot: %s%s",
                        strerror(bad), bad == ENOENT ? "; .svg needs none" : "");
    }
    *picture = ends[0];
    return GA_OK;
}

static ga_status take(session *s, int picture, ga__output *out, int64_t *size)
{
    char block[1 << 14];
    ssize_t got;
    *size = 0;
    while ((got = read(picture, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR && !caught_signal()) {
            continue;
        }
        if (got < 0) {
            return complain(s, caught_signal() ? GA_CANCELLED : GA_IO, "gnuplot: cannot read from it: %s",
                            strerror(errno));
        }
        ga_status status = ga__output_write(s->context, out, block, got);
        if (status != GA_OK) {
            return status;
        }
        *size += got;
    }
    return GA_OK;
}

static ga_status end(session *s, pid_t pid, bool good, int64_t size)
{
    int how = 0;
    if (!good) {
        kill(pid, SIGTERM);
    }
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {
    }
    if (good && !(WIFEXITED(how) && WEXITSTATUS(how) == 0 && size > 0)) {
        return complain(s, GA_IO, "gnuplot: it failed; what it says stands above");
    }
    return GA_OK;
}

ga_status chart_gnuplot(session *s, const char *terminal, const chart_panel *panels, int count, int columns,
                        ga__output *out)
{
    ga_status status = GA_OK;
    pid_t pid = -1;
    int picture = -1;
    int64_t size = 0;
    FILE *script = tmpfile();
    if (!script) {
        return complain(s, GA_IO, "gnuplot: no temporary file for its script: %s", strerror(errno));
    }
    GA_TRY(write_script(s->context, script, terminal, panels, count, columns));
    rewind(script); /* also flushes */
    GA_TRY(start(s, script, &pid, &picture));
    status = take(s, picture, out, &size);
    close(picture);
    ga_status ended = end(s, pid, status == GA_OK, size);
    status = status == GA_OK ? ended : status;
done:
    fclose(script);
    return status;
}
