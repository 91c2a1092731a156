import CoreGraphics
import Foundation
import LiteRT

/// A generator from the app's bundle: the file's `generate(latent) -> image`, on the GPU where LiteRT runs the file whole
/// there, else on the CPU. The app draws the latents, which GPUs lack the integers for: the same seed gives the same
/// image in this app.
final class Generator {
  /// Where it runs, for people: never on both, which LiteRT would do without a word, and with some files wrongly.
  let accelerator: String
  private let model: CompiledModel
  private let signature: Int
  private let latentDim: Int
  private let inputs: [TensorBuffer]
  private let outputs: [TensorBuffer]
  private let shape: [Int]

  init(name: String) throws {
    guard let path = Bundle.main.path(forResource: name, ofType: "tflite") else {
      throw CocoaError(.fileNoSuchFile)
    }
    let (gpu, cpu) = (try Options(), try Options())
    try gpu.setHardwareAccelerators([.gpu])
    try cpu.setHardwareAccelerators([.cpu])
    let model: CompiledModel
    if let onGPU = try? CompiledModel(filePath: path, environment: try Environment(), options: gpu) {
      (model, accelerator) = (onGPU, "GPU")
    } else {
      // No GPU, or a file with operations that it lacks.
      (model, accelerator) = (try CompiledModel(filePath: path, environment: try Environment(), options: cpu), "CPU")
    }
    // LiteRT for Swift numbers a file's signatures and does not name them: `generate` is the one that takes a latent.
    let generate = (0..<8).first { (try? model.inputName(inputIndex: 0, signatureIndex: $0)) == "latent" }
    guard let signature = generate else {
      throw CocoaError(.fileReadCorruptFile)
    }
    self.model = model
    self.signature = signature
    inputs = try model.createInputBuffers(signatureIndex: signature)
    outputs = try model.createOutputBuffers(signatureIndex: signature)
    latentDim = try model.inputTensorType(inputIndex: 0, signatureIndex: signature).layout.dimensions[1]
    shape = try model.outputTensorType(outputIndex: 0, signatureIndex: signature).layout.dimensions
  }

  /// Generates the image of a seed, for a generator whose prior is a standard normal.
  func sample(seed: UInt64) throws -> CGImage {
    var random = SplitMix64(state: seed)
    // Box and Muller: two uniform numbers make a normal one.
    return try generate(
      (0..<latentDim).map { _ in
        let (u, v) = (Double.random(in: Double.ulpOfOne..<1, using: &random), Double.random(in: 0..<1, using: &random))
        return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
      })
  }

  /// Generates the image of a latent.
  func generate(_ latent: [Float]) throws -> CGImage {
    try inputs[0].write(latent)
    try model.run(inputs: inputs, outputs: outputs, signatureIndex: signature)
    let values: [Float] = try outputs[0].read()
    let (height, width, channels) = (shape[1], shape[2], shape[3])
    let bytes = values.map { UInt8(min(max(($0 * 127.5 + 127.5).rounded(), 0), 255)) }
    let image = CGImage(
      width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 8 * channels, bytesPerRow: width * channels,
      space: channels == 1 ? CGColorSpaceCreateDeviceGray() : CGColorSpaceCreateDeviceRGB(),
      bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue),
      provider: CGDataProvider(data: Data(bytes) as CFData)!, decode: nil, shouldInterpolate: false,
      intent: .defaultIntent)
    guard let image else {
      throw CocoaError(.featureUnsupported)
    }
    return image
  }
}

/// A small generator of random numbers that takes a seed, which Swift's own does not.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
