/**
 * A 32-bit x86 program, as bytes. It calls socketcall(SYS_SOCKET, { family, SOCK_SEQPACKET, 0 }) and exits
 * with the errno, or with 0.
 *
 * Written by hand: where tests run there may be no compiler, least of all one for 32 bits.
 */
export function socketcall32(family: number): Uint8Array {
  const base = 0x08048000;
  const headers = 52 + 32;
  const code = [
    ...[0x6a, 0x00], // push 0: protocol
    ...[0x6a, 0x05], // push SOCK_SEQPACKET
    ...[0x6a, family], // push family
    ...[0x89, 0xe1], // mov ecx, esp
    ...[0x6a, 0x01, 0x5b], // mov ebx, SYS_SOCKET
    ...[0x6a, 0x66, 0x58], // mov eax, 102: socketcall
    ...[0xcd, 0x80], // int 0x80
    ...[0x31, 0xdb], // xor ebx, ebx
    ...[0x85, 0xc0], // test eax, eax
    ...[0x79, 0x04], // jns +4
    ...[0x89, 0xc3], // mov ebx, eax
    ...[0xf7, 0xdb], // neg ebx
    ...[0x6a, 0x01, 0x58], // mov eax, 1: exit
    ...[0xcd, 0x80], // int 0x80
  ];
  const size = headers + code.length;
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);

  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]); // ELF, 32 bits, little-endian
  u16(16, 2); // an executable
  u16(18, 3); // for the 386
  u32(20, 1);
  u32(24, base + headers); // entry
  u32(28, 52); // program headers
  u16(40, 52);
  u16(42, 32);
  u16(44, 1);

  u32(52, 1); // PT_LOAD
  u32(60, base);
  u32(64, base);
  u32(68, size);
  u32(72, size);
  u32(76, 5); // readable, executable
  u32(80, 0x1000);
  file.set(code, headers);
  return file;
}
