"""The AI stand-in: Rekognition, Comprehend and Bedrock Runtime over HTTP, looking as well as a laptop can."""
