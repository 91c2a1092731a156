import CoreGraphics
import Foundation
import LiteRT

/// A generator from the app's bundle: the file's `sample(seed) -> image`, where the same seed gives the same image
/// anywhere.
final class Generator {
  private let model: CompiledModel
  private let signature: Int
  private let inputs: [TensorBuffer]
  private let outputs: [TensorBuffer]
  private let shape: [Int]

  init(name: String) throws {
    guard let path = Bundle.main.path(forResource: name, ofType: "tflite") else {
      throw CocoaError(.fileNoSuchFile)
    }
    let options = try Options()
    try options.setHardwareAccelerators([.cpu])
    let model = try CompiledModel(filePath: path, environment: try Environment(), options: options)
    // LiteRT for Swift numbers a file's signatures and does not name them: `sample` is the one that takes a seed.
    let sample = (0..<8).first { (try? model.inputName(inputIndex: 0, signatureIndex: $0)) == "seed" }
    guard let signature = sample else {
      throw CocoaError(.fileReadCorruptFile)
    }
    self.model = model
    self.signature = signature
    inputs = try model.createInputBuffers(signatureIndex: signature)
    outputs = try model.createOutputBuffers(signatureIndex: signature)
    shape = try model.outputTensorType(outputIndex: 0, signatureIndex: signature).layout.dimensions
  }

  /// Generates one image.
  func sample(seed: Int32) throws -> CGImage {
    try inputs[0].write([seed])
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
