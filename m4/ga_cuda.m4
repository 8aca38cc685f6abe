# GA_CUDA: --with-cuda[=DIR|auto|no], --with-cuda-arch=LIST, --enable-cuda-emulation.
#
# NVCC, NVCCFLAGS, CUDA_GENCODE, CUDART_LIBS; conditionals HAVE_CUDA (graphattn-cuda.so is built) and HAVE_CUDA_EMULATION
# (graphattn-emulated.so is built, for tests). Nothing else of the package depends on a CUDA toolkit.
AC_DEFUN([GA_CUDA_FIND], [
NVCC=no
AS_CASE([$with_cuda],
  [no], [],
  [auto|yes], [AC_PATH_PROG([NVCC], [nvcc], [no], [$PATH$PATH_SEPARATOR/usr/local/cuda/bin])],
  [AS_IF([test -x "$with_cuda/bin/nvcc"], [NVCC=$with_cuda/bin/nvcc])])
AC_SUBST([NVCC])
])

# The architectures that this nvcc knows, as -gencode options; a letter behind the number (90a) is for it alone.
AC_DEFUN([GA_CUDA_ARCHITECTURES], [
AC_ARG_WITH([cuda-arch], [AS_HELP_STRING([--with-cuda-arch=LIST],
  [architectures of the CUDA kernels @<:@sm_80,sm_86,sm_89,sm_90a,sm_100,sm_120,compute_80@:>@, those that nvcc knows])], [],
  [with_cuda_arch=auto])
ga_wanted=$with_cuda_arch
AS_IF([test "x$ga_wanted" = xauto], [ga_wanted=sm_80,sm_86,sm_89,sm_90a,sm_100,sm_120,compute_80])
ga_known=" `$NVCC --list-gpu-code 2>/dev/null | tr '\n' ' '` `$NVCC --list-gpu-arch 2>/dev/null | tr '\n' ' '`"
CUDA_GENCODE=
ga_architectures=
for ga_arch in `AS_ECHO(["$ga_wanted"]) | tr ',' ' '`; do
  ga_plain=`AS_ECHO(["$ga_arch"]) | sed 's/@<:@a-z@:>@$//'`
  ga_number=`AS_ECHO(["$ga_arch"]) | sed 's/^@<:@a-z@:>@*_//'`
  AS_CASE(["$ga_known"],
    [*" $ga_plain "*],
      [CUDA_GENCODE="$CUDA_GENCODE -gencode=arch=compute_$ga_number,code=$ga_arch"
       ga_architectures="$ga_architectures $ga_arch"],
    [AS_IF([test "x$with_cuda_arch" != xauto],
      [AC_MSG_ERROR([--with-cuda-arch: $NVCC does not know $ga_arch])])])
done
AC_SUBST([CUDA_GENCODE])
])

# A kernel compiles, and what the plug-in is linked with is there.
AC_DEFUN([GA_CUDA_TRY], [
AC_MSG_CHECKING([whether $NVCC makes a kernel])
ga_cuda_works=no
mkdir conftest.dir
cat >conftest.dir/k.cu <<GA_END
#include <cuda_runtime.h>
__global__ void twice(float *x) { x[[threadIdx.x]] *= 2; }
extern "C" int go(float *x) { twice<<<1, 32>>>(x); return (int)cudaGetLastError(); }
GA_END
AS_IF([$NVCC $NVCCFLAGS $CUDA_GENCODE -Xcompiler -fPIC -shared -cudart=static -o conftest.dir/k.so conftest.dir/k.cu \
  >&AS_MESSAGE_LOG_FD 2>&1], [ga_cuda_works=yes])
rm -rf conftest.dir
AC_MSG_RESULT([$ga_cuda_works])
])

AC_DEFUN([GA_CUDA_LIBRARIES], [
ga_cuda_top=`AS_DIRNAME(["$NVCC"])`/..
ga_cudart=
for ga_dir in "$ga_cuda_top/lib64" "$ga_cuda_top/targets/x86_64-linux/lib" "$ga_cuda_top/targets/sbsa-linux/lib" \
  /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu; do
  AS_IF([test -z "$ga_cudart" && test -f "$ga_dir/libcudart_static.a"], [ga_cudart="-L`cd "$ga_dir" && pwd` -lcudart_static"])
done
CUDART_LIBS="$ga_cudart -lrt -lpthread -ldl -lstdc++"
AC_SUBST([CUDART_LIBS])
])

AC_DEFUN([GA_CUDA], [
AC_ARG_WITH([cuda], [AS_HELP_STRING([--with-cuda@<:@=DIR@:>@],
  [build the CUDA plug-in, with the toolkit in DIR (default: when nvcc is found)])], [], [with_cuda=auto])
AC_ARG_VAR([NVCCFLAGS], [flags of nvcc])
: ${NVCCFLAGS="-O3"}
ga_cuda_text=no
ga_cuda_works=no
GA_CUDA_FIND
AS_IF([test "x$NVCC" != xno], [
  GA_CUDA_ARCHITECTURES
  GA_CUDA_TRY
  GA_CUDA_LIBRARIES
  AS_IF([test -z "$ga_cudart"], [ga_cuda_works=no; ga_cuda_text="no (no libcudart_static.a)"])
  AS_IF([test "x$ga_cuda_works" = xyes],
    [ga_release=`$NVCC --version 2>/dev/null | sed -n 's/.*release \(@<:@0-9.@:>@*\).*/\1/p'`
     ga_cuda_text="$ga_release, for$ga_architectures"])])
AS_IF([test "x$ga_cuda_works" != xyes && test "x$with_cuda" != xauto && test "x$with_cuda" != xno],
  [AC_MSG_ERROR([--with-cuda given but no nvcc that works was found])])
AM_CONDITIONAL([HAVE_CUDA], [test "x$ga_cuda_works" = xyes])

AC_ARG_ENABLE([cuda-emulation], [AS_HELP_STRING([--disable-cuda-emulation],
  [do not compile the CUDA kernels for the CPU, by which they are tested])], [], [enable_cuda_emulation=auto])
AC_LANG_PUSH([C++])
AC_CACHE_CHECK([whether $CXX compiles C++17], [ga_cv_cxx17],
  [ga_saved_CXXFLAGS=$CXXFLAGS
   CXXFLAGS="$CXXFLAGS -std=c++17"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <tuple>]], [[std::tuple<int> a(1); if constexpr (sizeof a > 0) return std::get<0>(a);]])],
     [ga_cv_cxx17=yes], [ga_cv_cxx17=no])
   CXXFLAGS=$ga_saved_CXXFLAGS])
AC_LANG_POP([C++])
ga_emulation=$enable_cuda_emulation
AS_IF([test "x$ga_emulation" = xauto],
  [AS_IF([test "x$ga_cv_cxx17" = xyes && test "x$have_check" = xyes], [ga_emulation=yes], [ga_emulation=no])
   dnl ThreadSanitizer does not follow fibers
   AS_IF([test "x$enable_tsan" = xyes], [ga_emulation=no])])
AS_IF([test "x$ga_emulation" = xyes && test "x$ga_cv_cxx17" != xyes],
  [AC_MSG_ERROR([--enable-cuda-emulation given but there is no compiler for C++17])])
AM_CONDITIONAL([HAVE_CUDA_EMULATION], [test "x$ga_emulation" = xyes])
])
