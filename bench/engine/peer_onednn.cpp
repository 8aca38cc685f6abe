// peer_onednn.cpp - attention by oneDNN: product, softmax, product; nothing is masked.
//   peer_onednn TOKENS HEADS DIM RUNS      prints "f32 SECONDS" and "bf16 SECONDS", the best of the runs
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dnnl.hpp>

using namespace dnnl;

static double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double attention(engine &device, stream &queue, memory::data_type type, long n, long h, long d, int runs)
{
    memory::desc rows({ h, n, d }, type, memory::format_tag::abc), turned({ h, d, n }, type, memory::format_tag::acb),
        scores({ h, n, n }, type, memory::format_tag::abc);
    memory q(rows, device), k(turned, device), v(rows, device), s(scores, device), o(rows, device);
    for (memory *m : { &q, &k, &v }) {
        std::fill_n(static_cast<unsigned short *>(m->get_data_handle()), m->get_desc().get_size() / 2, 0x3d00);
    }
    primitive_attr scaled;
    scaled.set_output_scales(0, { 0.125f });
    matmul first(matmul::primitive_desc({ rows, turned, scores }, scaled, device));
    matmul second(matmul::primitive_desc({ scores, rows, rows }, device));
    softmax_forward middle(softmax_forward::primitive_desc({ prop_kind::forward_inference, scores, 2 }, device));
    double best = 1e30;
    for (int r = 0; r < runs + 1; r++) {
        double start = now();
        first.execute(queue, { { DNNL_ARG_SRC, q }, { DNNL_ARG_WEIGHTS, k }, { DNNL_ARG_DST, s } });
        middle.execute(queue, { { DNNL_ARG_SRC, s }, { DNNL_ARG_DST, s } });
        second.execute(queue, { { DNNL_ARG_SRC, s }, { DNNL_ARG_WEIGHTS, v }, { DNNL_ARG_DST, o } });
        queue.wait();
        best = std::min(best, now() - start);
    }
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        return 2;
    }
    long n = std::atol(argv[1]), h = std::atol(argv[2]), d = std::atol(argv[3]);
    engine device(engine::kind::cpu, 0);
    stream queue(device);
    std::printf("f32 %.6f\n", attention(device, queue, memory::data_type::f32, n, h, d, std::atoi(argv[4])));
    std::printf("bf16 %.6f\n", attention(device, queue, memory::data_type::bf16, n, h, d, std::atoi(argv[4])));
}
